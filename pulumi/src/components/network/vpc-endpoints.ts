import * as aws from '@pulumi/aws';
import * as pulumi from '@pulumi/pulumi';
import { policyDocument } from '../../iam-policy.ts';
import type { PlatformContext } from '../../platform-context.ts';
import type { Network } from './network.ts';

export interface VpcEndpointsArgs {
  context: PlatformContext;
  network: Network;
}

/** The services of AWS that nodes and pods call. Each endpoint costs by the hour and zone. */
export const INTERFACE_SERVICES = [
  'autoscaling',
  'ecr.api',
  'ecr.dkr',
  'eks',
  'eks-auth',
  'elasticloadbalancing',
  'ec2',
  'ec2messages',
  'kms',
  'logs',
  'secretsmanager',
  'ssm',
  'ssmmessages',
  'sts',
] as const;

/**
 * Ways to services of AWS that do not pass the NAT gateways: S3 always, as it is free and carries
 * the archive and the layers of images; the rest if it is asked for.
 */
export class VpcEndpoints extends pulumi.ComponentResource {
  constructor(name: string, args: VpcEndpointsArgs, opts: pulumi.ComponentResourceOptions) {
    super('posthorn:aws:VpcEndpoints', name, {}, opts);
    const { settings } = args.context;
    const { vpcId, privateRouteTableIds, privateSubnetIds } = args.network;
    new aws.ec2.VpcEndpoint(
      `${name}-s3`,
      {
        vpcId,
        serviceName: `com.amazonaws.${settings.region}.s3`,
        vpcEndpointType: 'Gateway',
        routeTableIds: privateRouteTableIds,
        policy: this.s3Policy(settings.accountId, settings.region),
      },
      { parent: this },
    );
    if (settings.interfaceEndpoints) {
      const group = new aws.ec2.SecurityGroup(
        `${name}-endpoints`,
        {
          vpcId,
          description: 'HTTPS from the VPC to private endpoints of AWS services',
          ingress: [
            { protocol: 'tcp', fromPort: 443, toPort: 443, cidrBlocks: [settings.vpcCidr] },
          ],
          egress: [],
        },
        { parent: this },
      );
      for (const service of INTERFACE_SERVICES) {
        new aws.ec2.VpcEndpoint(
          `${name}-${service.replace('.', '-')}`,
          {
            vpcId,
            serviceName: `com.amazonaws.${settings.region}.${service}`,
            vpcEndpointType: 'Interface',
            privateDnsEnabled: true,
            subnetIds: privateSubnetIds,
            securityGroupIds: [group.id],
          },
          { parent: this },
        );
      }
    }
    this.registerOutputs();
  }

  private s3Policy(accountId: string, region: string): pulumi.Output<string> {
    return policyDocument([
      {
        Sid: 'OwnBucketsThroughEndpoint',
        Effect: 'Allow',
        Principal: '*',
        Action: ['s3:*'],
        Resource: ['*'],
        Condition: { StringEquals: { 'aws:ResourceAccount': accountId } },
      },
      {
        Sid: 'ImageLayersThroughEndpoint',
        Effect: 'Allow',
        Principal: '*',
        Action: ['s3:GetObject'],
        Resource: [`arn:aws:s3:::prod-${region}-starport-layer-bucket/*`],
      },
    ]);
  }
}
