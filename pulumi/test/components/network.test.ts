import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allOf, namesOf, onlyOf } from '../kit/find-resources.ts';
import { recordPlatform } from '../kit/record-platform.ts';

const { resources, outputs } = await recordPlatform('prod', { interfaceEndpoints: 'true' });
const zones = ['eu-central-1a', 'eu-central-1b', 'eu-central-1c'];
const subnets = allOf(resources, 'ec2/subnet:Subnet');
const privateSubnets = subnets.filter(({ name }) => name.endsWith('-private'));
const publicSubnets = subnets.filter(({ name }) => name.endsWith('-public'));

test('each of three zones has one public and one private subnet', () => {
  for (const kind of [privateSubnets, publicSubnets]) {
    assert.deepEqual(
      kind.map(({ inputs }) => inputs['availabilityZone']),
      zones,
    );
  }
  assert.equal(subnets.length, 6);
  assert.equal(onlyOf(resources, 'ec2/vpc:Vpc').inputs['cidrBlock'], '10.30.0.0/16');
});

test('no subnet gives its instances public addresses', () => {
  for (const { inputs } of subnets) assert.equal(inputs['mapPublicIpOnLaunch'], false);
});

test('each zone has a NAT gateway in its own public subnet', () => {
  const gateways = allOf(resources, 'ec2/natGateway:NatGateway');
  assert.deepEqual(
    gateways.map(({ inputs }) => inputs['subnetId']),
    publicSubnets.map(({ name }) => `${name}-id`),
  );
});

test('each private subnet routes to the NAT gateway of its own zone, and to no other', () => {
  const associations = allOf(resources, 'ec2/routeTableAssociation:RouteTableAssociation');
  const routes = allOf(resources, 'ec2/route:Route');
  for (const { name } of privateSubnets) {
    const zone = name.replace('-private', '');
    const tables = associations.filter(({ inputs }) => inputs['subnetId'] === `${name}-id`);
    assert.deepEqual(
      tables.map(({ inputs }) => inputs['routeTableId']),
      [`${zone}-private-id`],
    );
    const ways = routes.filter(({ inputs }) => inputs['routeTableId'] === `${zone}-private-id`);
    assert.deepEqual(
      ways.map(({ inputs }) => inputs),
      [
        {
          routeTableId: `${zone}-private-id`,
          destinationCidrBlock: '0.0.0.0/0',
          natGatewayId: `${zone}-id`,
        },
      ],
    );
  }
});

test('only the table of the public subnets leads to the Internet gateway', () => {
  const open = allOf(resources, 'ec2/route:Route').filter(({ inputs }) => 'gatewayId' in inputs);
  assert.deepEqual(namesOf(open), ['posthorn-prod-public']);
  const users = allOf(resources, 'ec2/routeTableAssociation:RouteTableAssociation').filter(
    ({ inputs }) => inputs['routeTableId'] === 'posthorn-prod-public-id',
  );
  assert.deepEqual(
    users.map(({ inputs }) => inputs['subnetId']),
    publicSubnets.map(({ name }) => `${name}-id`),
  );
});

test('egress addresses are protected, retained, separate from the gateways, and published with spares', () => {
  const eips = allOf(resources, 'ec2/eip:Eip').filter(({ provider }) => provider === 'home');
  assert.equal(eips.length, 5);
  for (const { name, protect, retainOnDelete } of eips) {
    assert.ok(protect && retainOnDelete, name);
  }
  const used = allOf(resources, 'ec2/natGateway:NatGateway').map(
    ({ inputs }) => inputs['allocationId'],
  );
  assert.deepEqual(
    used,
    eips.slice(0, 3).map(({ name }) => `eipalloc-${name}`),
  );
  assert.equal((outputs['egressAddresses'] as string[]).length, 5);
});

test('the default security group allows no traffic, and no group is open to the world', () => {
  const group = onlyOf(resources, 'ec2/defaultSecurityGroup:DefaultSecurityGroup');
  assert.deepEqual([group.inputs['ingress'], group.inputs['egress']], [[], []]);
  for (const { name, inputs } of allOf(resources, 'ec2/securityGroup:SecurityGroup')) {
    for (const rule of inputs['ingress'] as { cidrBlocks: string[] }[]) {
      assert.deepEqual(rule.cidrBlocks, ['10.30.0.0/16'], name);
    }
    assert.deepEqual(inputs['egress'], [], name);
  }
});

test('flow logs record all traffic', () => {
  const { inputs } = onlyOf(resources, 'ec2/flowLog:FlowLog');
  assert.equal(inputs['trafficType'], 'ALL');
  assert.equal(inputs['vpcId'], 'posthorn-prod-id');
});

test('S3 has a gateway endpoint on every private table', () => {
  const gateway = allOf(resources, 'ec2/vpcEndpoint:VpcEndpoint').find(
    ({ inputs }) => inputs['vpcEndpointType'] === 'Gateway',
  );
  assert.equal(gateway?.inputs['serviceName'], 'com.amazonaws.eu-central-1.s3');
  assert.deepEqual(
    gateway?.inputs['routeTableIds'],
    [0, 1, 2].map((index) => `posthorn-prod-${index}-private-id`),
  );
});

test('interface endpoints are created on request, in all zones and with private names', async () => {
  const interfaces = (from: typeof resources) =>
    allOf(from, 'ec2/vpcEndpoint:VpcEndpoint').filter(
      ({ inputs }) => inputs['vpcEndpointType'] === 'Interface',
    );
  const made = interfaces(resources);
  assert.equal(made.length, 14);
  for (const { inputs } of made) {
    assert.equal(inputs['privateDnsEnabled'], true);
    assert.deepEqual(
      inputs['subnetIds'],
      privateSubnets.map(({ name }) => `${name}-id`),
    );
  }
  const dev = await recordPlatform('dev');
  assert.equal(interfaces(dev.resources).length, 0);
});
