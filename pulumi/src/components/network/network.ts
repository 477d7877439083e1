import * as aws from '@pulumi/aws';
import * as pulumi from '@pulumi/pulumi';
import { planAddresses } from '../../address-plan.ts';
import type { PlatformContext } from '../../platform-context.ts';
import { FlowLogs } from './flow-logs.ts';

export interface NetworkArgs {
  context: PlatformContext;
  /** One allocation for each zone at least; the first three are used. */
  egressAllocationIds: readonly pulumi.Input<string>[];
  logKeyArn: pulumi.Input<string>;
}

/** One availability zone, with its own gateway to the Internet. */
interface ZoneArgs {
  vpcId: pulumi.Input<string>;
  zone: string;
  index: number;
  publicCidr: string;
  privateCidr: string;
  publicRouteTableId: pulumi.Input<string>;
  gateway: aws.ec2.InternetGateway;
  allocationId: pulumi.Input<string>;
}

interface Zone {
  privateSubnetId: pulumi.Output<string>;
  publicSubnetId: pulumi.Output<string>;
  privateRouteTableId: pulumi.Output<string>;
  natGatewayId: pulumi.Output<string>;
}

/**
 * A VPC over three zones. Each zone has its own NAT gateway and its own route to it: the loss of a
 * zone cuts off no other, and no byte crosses a zone on its way out.
 */
export class Network extends pulumi.ComponentResource {
  readonly vpcId: pulumi.Output<string>;
  readonly vpcArn: pulumi.Output<string>;
  readonly privateSubnetIds: pulumi.Output<string>[];
  readonly publicSubnetIds: pulumi.Output<string>[];
  readonly privateRouteTableIds: pulumi.Output<string>[];
  readonly natGatewayIds: pulumi.Output<string>[];
  /** The routes to the Internet with their subnets: a node that starts before them never joins. */
  readonly ways: pulumi.Resource[] = [];

  constructor(name: string, args: NetworkArgs, opts: pulumi.ComponentResourceOptions) {
    super('posthorn:aws:Network', name, {}, opts);
    const { settings } = args.context;
    const plan = planAddresses(settings.vpcCidr);
    const vpc = new aws.ec2.Vpc(
      name,
      {
        cidrBlock: settings.vpcCidr,
        enableDnsHostnames: true,
        enableDnsSupport: true,
        tags: { Name: args.context.name },
      },
      { parent: this },
    );
    this.vpcId = vpc.id;
    this.vpcArn = vpc.arn;
    // The group that AWS creates is unused; without rules it is useless by mistake too.
    new aws.ec2.DefaultSecurityGroup(
      name,
      { vpcId: vpc.id, ingress: [], egress: [] },
      { parent: this },
    );
    const { gateway, publicRouteTableId } = this.createPublicRoutes(name, vpc.id);
    const zones = settings.zones.map((zone, index) =>
      this.createZone(`${name}-${index}`, {
        vpcId: vpc.id,
        zone,
        index,
        publicCidr: plan.publicCidrs[index] as string,
        privateCidr: plan.privateCidrs[index] as string,
        publicRouteTableId,
        gateway,
        allocationId: args.egressAllocationIds[index] as pulumi.Input<string>,
      }),
    );
    this.privateSubnetIds = zones.map((zone) => zone.privateSubnetId);
    this.publicSubnetIds = zones.map((zone) => zone.publicSubnetId);
    this.privateRouteTableIds = zones.map((zone) => zone.privateRouteTableId);
    this.natGatewayIds = zones.map((zone) => zone.natGatewayId);
    const { context, logKeyArn } = args;
    new FlowLogs(name, { context, vpcId: vpc.id, logKeyArn }, { parent: this });
    this.registerOutputs({ vpcId: this.vpcId });
  }

  private createPublicRoutes(
    name: string,
    vpcId: pulumi.Input<string>,
  ): Pick<ZoneArgs, 'gateway' | 'publicRouteTableId'> {
    const opts = { parent: this };
    const gateway = new aws.ec2.InternetGateway(name, { vpcId }, opts);
    const table = new aws.ec2.RouteTable(
      `${name}-public`,
      { vpcId, tags: { Name: `${name}-public` } },
      opts,
    );
    this.ways.push(
      new aws.ec2.Route(
        `${name}-public`,
        { routeTableId: table.id, destinationCidrBlock: '0.0.0.0/0', gatewayId: gateway.id },
        opts,
      ),
    );
    return { gateway, publicRouteTableId: table.id };
  }

  private createZone(name: string, args: ZoneArgs): Zone {
    const opts = { parent: this };
    const { vpcId, zone: availabilityZone } = args;
    const publicSubnet = new aws.ec2.Subnet(
      `${name}-public`,
      {
        vpcId,
        availabilityZone,
        cidrBlock: args.publicCidr,
        mapPublicIpOnLaunch: false,
        tags: { Name: `${name}-public`, 'kubernetes.io/role/elb': '1' },
      },
      opts,
    );
    const privateSubnet = new aws.ec2.Subnet(
      `${name}-private`,
      {
        vpcId,
        availabilityZone,
        cidrBlock: args.privateCidr,
        mapPublicIpOnLaunch: false,
        tags: { Name: `${name}-private`, 'kubernetes.io/role/internal-elb': '1' },
      },
      opts,
    );
    const gateway = new aws.ec2.NatGateway(
      name,
      { subnetId: publicSubnet.id, allocationId: args.allocationId, tags: { Name: name } },
      // AWS refuses it in a network whose Internet gateway is not attached yet.
      { ...opts, dependsOn: [args.gateway] },
    );
    const table = new aws.ec2.RouteTable(
      `${name}-private`,
      { vpcId, tags: { Name: `${name}-private` } },
      opts,
    );
    this.ways.push(
      new aws.ec2.RouteTableAssociation(
        `${name}-public`,
        { subnetId: publicSubnet.id, routeTableId: args.publicRouteTableId },
        opts,
      ),
      new aws.ec2.Route(
        `${name}-private`,
        { routeTableId: table.id, destinationCidrBlock: '0.0.0.0/0', natGatewayId: gateway.id },
        opts,
      ),
      new aws.ec2.RouteTableAssociation(
        `${name}-private`,
        { subnetId: privateSubnet.id, routeTableId: table.id },
        opts,
      ),
    );
    return {
      privateSubnetId: privateSubnet.id,
      publicSubnetId: publicSubnet.id,
      privateRouteTableId: table.id,
      natGatewayId: gateway.id,
    };
  }
}
