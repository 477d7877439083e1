import * as aws from '@pulumi/aws';
import * as pulumi from '@pulumi/pulumi';
import { managedPolicies } from '../../managed-policies.ts';
import type { PlatformContext } from '../../platform-context.ts';
import type { Cluster } from './cluster.ts';
import type { NodeGroups } from './node-groups.ts';
import { PodIdentity } from './pod-identity.ts';

export interface NetworkAddOnsArgs {
  context: PlatformContext;
  cluster: Cluster;
}

export interface WorkloadAddOnsArgs extends NetworkAddOnsArgs {
  nodeGroups: NodeGroups;
  volumeKeyArn: pulumi.Input<string>;
}

function createAddOn(
  name: string,
  args: Omit<aws.eks.AddonArgs, 'addonName' | 'clusterName'> & { cluster: Cluster },
  opts: pulumi.CustomResourceOptions,
): aws.eks.Addon {
  const { cluster, ...rest } = args;
  return new aws.eks.Addon(
    name,
    {
      addonName: name,
      clusterName: cluster.name,
      resolveConflictsOnCreate: 'OVERWRITE',
      resolveConflictsOnUpdate: 'OVERWRITE',
      ...rest,
    },
    opts,
  );
}

/** The add-ons without which no node becomes ready: they exist before the first node. */
export class NetworkAddOns extends pulumi.ComponentResource {
  readonly addOns: pulumi.Resource[];

  constructor(name: string, args: NetworkAddOnsArgs, opts: pulumi.ComponentResourceOptions) {
    super('posthorn:aws:NetworkAddOns', name, {}, opts);
    const { context, cluster } = args;
    const serviceAccount = 'aws-node';
    const network = new PodIdentity(
      `${name}-vpc-cni`,
      {
        context,
        clusterName: cluster.name,
        namespace: 'kube-system',
        serviceAccount,
        description: 'vpc-cni gives pods their addresses',
        managedPolicyArns: [managedPolicies.containerNetwork.arn],
        associate: false,
      },
      { parent: this },
    );
    const agent = createAddOn('eks-pod-identity-agent', { cluster }, { parent: this });
    const proxy = createAddOn('kube-proxy', { cluster }, { parent: this });
    const cni = createAddOn(
      'vpc-cni',
      {
        cluster,
        podIdentityAssociations: [{ serviceAccount, roleArn: network.roleArn }],
        configurationValues: JSON.stringify({
          enableNetworkPolicy: 'true',
          env: { ENABLE_PREFIX_DELEGATION: 'true' },
        }),
      },
      { parent: this, dependsOn: [agent, ...network.policies] },
    );
    this.addOns = [agent, proxy, cni];
    this.registerOutputs();
  }
}

/** The add-ons that run on nodes: DNS, and the driver of volumes. */
export class WorkloadAddOns extends pulumi.ComponentResource {
  constructor(name: string, args: WorkloadAddOnsArgs, opts: pulumi.ComponentResourceOptions) {
    super('posthorn:aws:WorkloadAddOns', name, {}, opts);
    const { context, cluster, nodeGroups } = args;
    const serviceAccount = 'ebs-csi-controller-sa';
    const volumes = new PodIdentity(
      `${name}-ebs-csi`,
      {
        context,
        clusterName: cluster.name,
        namespace: 'kube-system',
        serviceAccount,
        description: 'The driver of EBS makes, attaches and snapshots volumes',
        managedPolicyArns: [managedPolicies.blockStorage.arn],
        statements: [
          {
            Sid: 'VolumeKeyUse',
            Effect: 'Allow',
            Action: [
              'kms:Decrypt',
              'kms:DescribeKey',
              'kms:GenerateDataKeyWithoutPlaintext',
              'kms:ReEncryptFrom',
              'kms:ReEncryptTo',
            ],
            Resource: [args.volumeKeyArn],
          },
          {
            Sid: 'VolumeKeyGrants',
            Effect: 'Allow',
            Action: ['kms:CreateGrant', 'kms:ListGrants', 'kms:RevokeGrant'],
            Resource: [args.volumeKeyArn],
            Condition: { Bool: { 'kms:GrantIsForAWSResource': 'true' } },
          },
        ],
        associate: false,
      },
      { parent: this },
    );
    const dependsOn = nodeGroups.groups;
    createAddOn('coredns', { cluster }, { parent: this, dependsOn });
    createAddOn(
      'aws-ebs-csi-driver',
      {
        cluster,
        podIdentityAssociations: [{ serviceAccount, roleArn: volumes.roleArn }],
        // Backups are chosen by this tag.
        configurationValues: JSON.stringify({
          controller: { extraVolumeTags: { 'posthorn-backup': context.name } },
        }),
      },
      { parent: this, dependsOn: [...dependsOn, ...volumes.policies] },
    );
    this.registerOutputs();
  }
}
