import * as aws from '@pulumi/aws';
import * as pulumi from '@pulumi/pulumi';
import { type PlatformContext, bucketName } from '../../platform-context.ts';
import { EncryptedBucket } from './encrypted-bucket.ts';
import type { Network } from '../network/network.ts';

export interface MongodbArgs {
  context: PlatformContext;
  network: Network;
  keyArn: pulumi.Input<string>;
}

/** An entry of `network.egress` in the values of charts/posthorn. */
export interface EgressRule {
  purpose: 'mongodb';
  cidr: string;
  port: number;
  /** Last port of a range. */
  endPort?: number;
}

/** Atlas gives each member of a replica set its own port from this range. */
const ENDPOINT_PORTS = { fromPort: 1024, toPort: 65_535 };

/**
 * The resources that MongoDB needs in the cloud. Mode `external` needs the secret with its URI, and
 * a private endpoint if its provider has one. Mode `operator` needs a bucket for backups, and a
 * pool of nodes. The platform sees one URI either way.
 */
export class Mongodb extends pulumi.ComponentResource {
  readonly backupBucket: EncryptedBucket | undefined;
  /** The DNS name of the private endpoint, if there is one: the provider asks for its id. */
  readonly privateEndpointId: pulumi.Output<string> | undefined;
  /** The networks in which pods reach MongoDB, as far as the cloud knows them. */
  readonly egress: readonly EgressRule[];

  constructor(name: string, args: MongodbArgs, opts: pulumi.ComponentResourceOptions) {
    super('posthorn:aws:Mongodb', name, {}, opts);
    const { settings } = args.context;
    this.backupBucket =
      settings.mongodbMode === 'operator' ? this.createBackupBucket(name, args) : undefined;
    this.privateEndpointId =
      settings.mongodbEndpointService === '' ? undefined : this.createEndpoint(name, args);
    const { fromPort: port, toPort: endPort } = ENDPOINT_PORTS;
    this.egress =
      this.privateEndpointId === undefined
        ? []
        : [{ purpose: 'mongodb', cidr: settings.vpcCidr, port, endPort }];
    this.registerOutputs();
  }

  private createBackupBucket(name: string, args: MongodbArgs): EncryptedBucket {
    const { context } = args;
    return new EncryptedBucket(
      `${name}-backup`,
      {
        bucket: bucketName(context, 'mongodb-backup', context.settings.region),
        keyArn: args.keyArn,
        expireDays: context.settings.backupRetentionDays,
        transitions: false,
      },
      { parent: this },
    );
  }

  private createEndpoint(name: string, args: MongodbArgs): pulumi.Output<string> {
    const { settings } = args.context;
    const { vpcId, privateSubnetIds } = args.network;
    const group = new aws.ec2.SecurityGroup(
      `${name}-endpoint`,
      {
        vpcId,
        description: 'MongoDB over PrivateLink, from the VPC',
        ingress: [{ protocol: 'tcp', ...ENDPOINT_PORTS, cidrBlocks: [settings.vpcCidr] }],
        egress: [],
      },
      { parent: this },
    );
    return new aws.ec2.VpcEndpoint(
      `${name}-endpoint`,
      {
        vpcId,
        serviceName: settings.mongodbEndpointService,
        vpcEndpointType: 'Interface',
        subnetIds: privateSubnetIds,
        securityGroupIds: [group.id],
      },
      { parent: this },
    ).id;
  }
}
