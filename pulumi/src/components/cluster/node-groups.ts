import * as aws from '@pulumi/aws';
import * as pulumi from '@pulumi/pulumi';
import { type Role, createRole, serviceTrust } from '../../iam-policy.ts';
import { managedPolicies } from '../../managed-policies.ts';
import type { PlatformContext } from '../../platform-context.ts';
import type { Cluster } from './cluster.ts';
import { imageCacheStatement } from '../images/image-cache.ts';
import type { Network } from '../network/network.ts';

export interface NodeGroupsArgs {
  context: PlatformContext;
  cluster: Cluster;
  network: Network;
  volumeKeyArn: pulumi.Input<string>;
  /** Without them a node never becomes ready. */
  after: pulumi.Resource[];
}

interface PoolArgs {
  /** The value of the label and of the taint. */
  pool: string;
  subnetIds: pulumi.Input<string>[];
  instanceTypes: readonly string[];
  min: number;
  max: number;
  spot?: boolean;
  /** Keeps away pods that do not tolerate the pool. */
  dedicated?: boolean;
}

/** The label and the taint of nodes, by which charts choose them. */
export const POOL_LABEL = 'posthorn.dev/pool';

/**
 * The nodes, all in private subnets. Pods with volumes have one group for each zone: a volume
 * cannot leave its zone, and a group over three zones could start a node in the wrong one. Such
 * groups have a fixed size, so that no autoscaler ever takes a broker's node.
 */
export class NodeGroups extends pulumi.ComponentResource {
  readonly groups: aws.eks.NodeGroup[] = [];
  private readonly name: string;
  private readonly args: NodeGroupsArgs;
  private readonly role: Role;

  constructor(name: string, args: NodeGroupsArgs, opts: pulumi.ComponentResourceOptions) {
    super('posthorn:aws:NodeGroups', name, {}, opts);
    this.name = name;
    this.args = args;
    const { settings } = args.context;
    const { privateSubnetIds } = args.network;
    this.role = createRole(
      `${name}-nodes`,
      {
        description: 'Nodes: join the cluster, pull images, be reached by Session Manager',
        trust: serviceTrust('ec2.amazonaws.com', settings.accountId),
        managedPolicyArns: [
          managedPolicies.eksNode.arn,
          managedPolicies.registryPull.arn,
          managedPolicies.sessionManager.arn,
        ],
        statements: [imageCacheStatement(args.context)],
      },
      { parent: this },
    );
    this.createPool({
      pool: 'system',
      subnetIds: privateSubnetIds,
      instanceTypes: [settings.systemInstanceType],
      min: 3,
      max: 6,
    });
    this.createZonalPools('nats', settings.natsInstanceType);
    if (settings.mongodbMode === 'operator') {
      this.createZonalPools('mongodb', settings.mongodbInstanceType);
    }
    this.createPool({
      pool: 'worker',
      subnetIds: privateSubnetIds,
      instanceTypes: settings.workerInstanceTypes,
      min: settings.standby ? 0 : settings.workerNodesMin,
      max: settings.workerNodesMax,
      spot: settings.workerSpot,
    });
    this.registerOutputs();
  }

  private createZonalPools(pool: string, instanceType: string): void {
    this.args.network.privateSubnetIds.forEach((subnetId, index) => {
      this.createPool(
        {
          pool,
          subnetIds: [subnetId],
          instanceTypes: [instanceType],
          min: 1,
          max: 1,
          dedicated: true,
        },
        `-${index}`,
      );
    });
  }

  private createPool(pool: PoolArgs, suffix = ''): void {
    const name = `${this.name}-${pool.pool}${suffix}`;
    const template = this.createTemplate(name);
    const taint = { key: POOL_LABEL, value: pool.pool, effect: 'NO_SCHEDULE' };
    const group = new aws.eks.NodeGroup(
      name,
      {
        clusterName: this.args.cluster.name,
        nodeRoleArn: this.role.arn,
        subnetIds: pool.subnetIds,
        amiType: 'BOTTLEROCKET_ARM_64',
        capacityType: pool.spot === true ? 'SPOT' : 'ON_DEMAND',
        instanceTypes: [...pool.instanceTypes],
        scalingConfig: { minSize: pool.min, maxSize: pool.max, desiredSize: pool.min },
        updateConfig: { maxUnavailable: 1 },
        nodeRepairConfig: { enabled: true },
        labels: { [POOL_LABEL]: pool.pool },
        ...(pool.dedicated === true && { taints: [taint] }),
        launchTemplate: {
          id: template.id,
          version: template.latestVersion.apply((version) => String(version)),
        },
      },
      // The autoscaler sets the size from then on.
      {
        parent: this,
        ignoreChanges: ['scalingConfig.desiredSize'],
        dependsOn: [...this.args.after, ...this.args.network.ways, ...this.role.policies],
      },
    );
    this.groups.push(group);
  }

  private createTemplate(name: string): aws.ec2.LaunchTemplate {
    const disk = (deviceName: string, volumeSize: number) => ({
      deviceName,
      ebs: {
        volumeType: 'gp3',
        volumeSize,
        encrypted: 'true',
        kmsKeyId: this.args.volumeKeyArn,
        deleteOnTermination: 'true',
      },
    });
    const tags = { Name: name };
    return new aws.ec2.LaunchTemplate(
      name,
      {
        updateDefaultVersion: true,
        // No pod can reach the credentials of its node: the answer does not survive a second hop.
        metadataOptions: {
          httpEndpoint: 'enabled',
          httpTokens: 'required',
          httpPutResponseHopLimit: 1,
          instanceMetadataTags: 'disabled',
        },
        // Bottlerocket: the system, and what containers write.
        blockDeviceMappings: [disk('/dev/xvda', 4), disk('/dev/xvdb', 50)],
        tagSpecifications: [
          { resourceType: 'instance', tags },
          { resourceType: 'volume', tags },
        ],
      },
      { parent: this },
    );
  }
}
