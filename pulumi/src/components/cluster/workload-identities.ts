import * as pulumi from '@pulumi/pulumi';
import type { Statement } from '../../iam-policy.ts';
import type { PlatformContext } from '../../platform-context.ts';
import type { Cluster } from './cluster.ts';
import { LoadBalancerIdentity } from './load-balancer-identity.ts';
import type { Network } from '../network/network.ts';
import { PodIdentity } from './pod-identity.ts';

export interface WorkloadIdentitiesArgs {
  context: PlatformContext;
  cluster: Cluster;
  network: Network;
  archiveBucketArn: pulumi.Input<string>;
  /** Of the archive and of the secrets. */
  dataKeyArn: pulumi.Input<string>;
  secretArn: pulumi.Input<string>;
  /** The bucket of MongoDB's backups, if the operator runs in the cluster. */
  mongodbBackupArn: pulumi.Input<string> | undefined;
}

/**
 * Who in the cluster may do what in AWS. Ingress, router and delivery are not here on purpose: they
 * need nothing of AWS, and delivery talks to strangers.
 */
export class WorkloadIdentities extends pulumi.ComponentResource {
  readonly roleArns: Record<string, pulumi.Output<string>> = {};

  constructor(name: string, args: WorkloadIdentitiesArgs, opts: pulumi.ComponentResourceOptions) {
    super('posthorn:aws:WorkloadIdentities', name, {}, opts);
    this.createControl(name, args);
    this.createExternalSecrets(name, args);
    this.createAutoscaler(name, args);
    const { context, cluster, network } = args;
    this.roleArns['load-balancer'] = new LoadBalancerIdentity(
      `${name}-load-balancer`,
      { context, cluster, vpcArn: network.vpcArn },
      { parent: this },
    ).roleArn;
    if (args.mongodbBackupArn !== undefined) {
      this.createMongodbBackup(name, args, args.mongodbBackupArn);
    }
    this.registerOutputs({ roleArns: this.roleArns });
  }

  private createControl(name: string, args: WorkloadIdentitiesArgs): void {
    const { context, archiveBucketArn, dataKeyArn } = args;
    this.roleArns['control'] = new PodIdentity(
      `${name}-control`,
      {
        context,
        clusterName: args.cluster.name,
        namespace: context.namespace,
        serviceAccount: 'posthorn-control',
        description: 'Role control writes the archive, and reads it back for a replay',
        statements: [
          ...bucketStatements({
            sid: 'Archive',
            bucketArn: archiveBucketArn,
            objectActions: ['s3:GetObject', 's3:PutObject', 's3:AbortMultipartUpload'],
            dataKeyArn,
            region: context.settings.region,
          }),
        ],
        associate: true,
      },
      { parent: this },
    ).roleArn;
  }

  private createExternalSecrets(name: string, args: WorkloadIdentitiesArgs): void {
    const { context, dataKeyArn, secretArn } = args;
    this.roleArns['external-secrets'] = new PodIdentity(
      `${name}-external-secrets`,
      {
        context,
        clusterName: args.cluster.name,
        namespace: 'external-secrets',
        serviceAccount: 'external-secrets',
        description: 'External Secrets reads the secret of this platform',
        statements: [
          {
            Sid: 'SecretsRead',
            Effect: 'Allow',
            Action: ['secretsmanager:GetSecretValue', 'secretsmanager:DescribeSecret'],
            Resource: [secretArn],
          },
          {
            Sid: 'SecretsKey',
            Effect: 'Allow',
            Action: ['kms:Decrypt'],
            Resource: [dataKeyArn],
            Condition: {
              StringEquals: {
                'kms:ViaService': `secretsmanager.${context.settings.region}.amazonaws.com`,
              },
            },
          },
        ],
        associate: true,
      },
      { parent: this },
    ).roleArn;
  }

  private createAutoscaler(name: string, args: WorkloadIdentitiesArgs): void {
    const { context } = args;
    const { accountId, region } = context.settings;
    const groups = `arn:aws:autoscaling:${region}:${accountId}:autoScalingGroup:*`;
    this.roleArns['cluster-autoscaler'] = new PodIdentity(
      `${name}-autoscaler`,
      {
        context,
        clusterName: args.cluster.name,
        namespace: 'kube-system',
        serviceAccount: 'cluster-autoscaler',
        description: 'The autoscaler sets the size of node groups of this cluster',
        statements: [
          {
            Sid: 'AutoscalerLooks',
            Effect: 'Allow',
            Action: [
              'autoscaling:DescribeAutoScalingGroups',
              'autoscaling:DescribeAutoScalingInstances',
              'autoscaling:DescribeLaunchConfigurations',
              'autoscaling:DescribeScalingActivities',
              'autoscaling:DescribeTags',
              'ec2:DescribeImages',
              'ec2:DescribeInstanceTypes',
              'ec2:DescribeLaunchTemplateVersions',
              'ec2:GetInstanceTypesFromInstanceRequirements',
            ],
            Resource: ['*'],
          },
          {
            Sid: 'AutoscalerScales',
            Effect: 'Allow',
            Action: [
              'autoscaling:SetDesiredCapacity',
              'autoscaling:TerminateInstanceInAutoScalingGroup',
            ],
            Resource: [`${groups}:autoScalingGroupName/*`],
            Condition: { StringEquals: { 'aws:ResourceTag/eks:cluster-name': context.name } },
          },
          {
            Sid: 'AutoscalerNodeGroups',
            Effect: 'Allow',
            Action: ['eks:DescribeNodegroup'],
            Resource: [`arn:aws:eks:${region}:${accountId}:nodegroup/${context.name}/*`],
          },
        ],
        associate: true,
      },
      { parent: this },
    ).roleArn;
  }

  private createMongodbBackup(
    name: string,
    args: WorkloadIdentitiesArgs,
    bucketArn: pulumi.Input<string>,
  ): void {
    const { context, dataKeyArn } = args;
    this.roleArns['mongodb-backup'] = new PodIdentity(
      `${name}-mongodb-backup`,
      {
        context,
        clusterName: args.cluster.name,
        namespace: 'mongodb',
        serviceAccount: 'mongodb-backup',
        description: 'The operator of MongoDB writes and prunes its backups',
        statements: [
          ...bucketStatements({
            sid: 'MongodbBackup',
            bucketArn,
            objectActions: [
              's3:GetObject',
              's3:PutObject',
              's3:DeleteObject',
              's3:AbortMultipartUpload',
            ],
            dataKeyArn,
            region: context.settings.region,
          }),
        ],
        associate: true,
      },
      { parent: this },
    ).roleArn;
  }
}

/** Access to the objects of one bucket, its list and its key. */
function bucketStatements(access: {
  /** Prefix of the names of the statements. */
  sid: string;
  bucketArn: pulumi.Input<string>;
  objectActions: string[];
  dataKeyArn: pulumi.Input<string>;
  region: string;
}): Statement[] {
  const { sid, bucketArn, objectActions, dataKeyArn, region } = access;
  return [
    {
      Sid: `${sid}Objects`,
      Effect: 'Allow',
      Action: objectActions,
      Resource: [pulumi.interpolate`${bucketArn}/*`],
    },
    { Sid: `${sid}List`, Effect: 'Allow', Action: ['s3:ListBucket'], Resource: [bucketArn] },
    {
      Sid: `${sid}Key`,
      Effect: 'Allow',
      Action: ['kms:Decrypt', 'kms:GenerateDataKey'],
      Resource: [dataKeyArn],
      Condition: { StringEquals: { 'kms:ViaService': `s3.${region}.amazonaws.com` } },
    },
  ];
}
