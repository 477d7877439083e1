import * as aws from '@pulumi/aws';
import * as pulumi from '@pulumi/pulumi';
import { createRole, serviceTrust } from '../../iam-policy.ts';
import { managedPolicies } from '../../managed-policies.ts';
import type { PlatformContext } from '../../platform-context.ts';
import type { Network } from '../network/network.ts';

export interface ClusterArgs {
  context: PlatformContext;
  network: Network;
  clusterKeyArn: pulumi.Input<string>;
  logKeyArn: pulumi.Input<string>;
}

const LOG_TYPES = ['api', 'audit', 'authenticator', 'controllerManager', 'scheduler'];

/**
 * An EKS cluster whose API has no public address. Access is by entries of EKS alone: even its
 * creator needs an entry, and no map in the cluster has to be edited.
 */
export class Cluster extends pulumi.ComponentResource {
  readonly name: pulumi.Output<string>;
  readonly endpoint: pulumi.Output<string>;
  readonly certificateAuthority: pulumi.Output<string>;
  /** The rights of administrators: objects inside the cluster depend on them. */
  readonly access: pulumi.Resource[] = [];

  constructor(name: string, args: ClusterArgs, opts: pulumi.ComponentResourceOptions) {
    super('posthorn:aws:Cluster', name, {}, opts);
    const { context, network } = args;
    const { settings } = context;
    const role = createRole(
      `${name}-cluster`,
      {
        description: 'The control plane of EKS',
        trust: serviceTrust('eks.amazonaws.com', settings.accountId),
        managedPolicyArns: [managedPolicies.eksCluster.arn],
      },
      { parent: this },
    );
    // Created here; otherwise EKS creates it without expiry and encryption.
    const logs = new aws.cloudwatch.LogGroup(
      `${name}-cluster`,
      {
        name: `/aws/eks/${context.name}/cluster`,
        retentionInDays: settings.logRetentionDays,
        kmsKeyId: args.logKeyArn,
      },
      { parent: this },
    );
    const cluster = new aws.eks.Cluster(
      name,
      {
        name: context.name,
        version: settings.clusterVersion,
        roleArn: role.arn,
        vpcConfig: {
          subnetIds: network.privateSubnetIds,
          endpointPrivateAccess: true,
          endpointPublicAccess: false,
        },
        accessConfig: {
          authenticationMode: 'API',
          bootstrapClusterCreatorAdminPermissions: false,
        },
        encryptionConfig: {
          provider: { keyArn: args.clusterKeyArn },
          resources: ['secrets'],
        },
        enabledClusterLogTypes: LOG_TYPES,
        upgradePolicy: { supportType: 'STANDARD' },
        zonalShiftConfig: { enabled: true },
        deletionProtection: settings.environment === 'prod',
        bootstrapSelfManagedAddons: false,
      },
      {
        parent: this,
        dependsOn: [logs, ...role.policies],
        protect: settings.environment === 'prod',
      },
    );
    this.name = cluster.name;
    this.endpoint = cluster.endpoint;
    this.certificateAuthority = cluster.certificateAuthority.data;
    this.admitClients(name, args, cluster);
    this.admitAdministrators(name, settings.clusterAdminRoleArns);
    this.registerOutputs({ name: this.name });
  }

  private admitClients(name: string, args: ClusterArgs, cluster: aws.eks.Cluster): void {
    args.context.settings.apiClientCidrs.forEach((cidrIpv4, index) => {
      new aws.vpc.SecurityGroupIngressRule(
        `${name}-api-client-${index}`,
        {
          securityGroupId: cluster.vpcConfig.clusterSecurityGroupId,
          description: 'Kubernetes API from a private network',
          cidrIpv4,
          ipProtocol: 'tcp',
          fromPort: 443,
          toPort: 443,
        },
        { parent: this },
      );
    });
  }

  private admitAdministrators(name: string, roleArns: readonly string[]): void {
    const clusterName = this.name;
    roleArns.forEach((principalArn, index) => {
      const entry = new aws.eks.AccessEntry(
        `${name}-admin-${index}`,
        { clusterName, principalArn, type: 'STANDARD' },
        { parent: this },
      );
      const policy = new aws.eks.AccessPolicyAssociation(
        `${name}-admin-${index}`,
        {
          clusterName,
          principalArn,
          policyArn: 'arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy',
          accessScope: { type: 'cluster' },
        },
        { parent: this, dependsOn: [entry] },
      );
      this.access.push(policy);
    });
  }
}
