import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allOf, namesOf, onlyOf } from '../kit/find-resources.ts';
import { recordPlatform } from '../kit/record-platform.ts';
import { ACCOUNT } from '../../stack-file.ts';

const { resources } = await recordPlatform('prod', { mongodbMode: 'operator' });
const { resources: dev } = await recordPlatform('dev', { apiClientCidrs: '["10.1.0.0/16"]' });
const cluster = onlyOf(resources, 'eks/cluster:Cluster');
const nodeGroups = allOf(resources, 'eks/nodeGroup:NodeGroup');
const privateSubnetIds = [0, 1, 2].map((index) => `posthorn-prod-${index}-private-id`);
const keyOf = (purpose: string): string => `arn:aws:kms:::posthorn-prod-${purpose}`;

test('the API of the cluster has no public address, in any stack', () => {
  for (const from of [resources, dev]) {
    const { vpcConfig } = onlyOf(from, 'eks/cluster:Cluster').inputs as {
      vpcConfig: Record<string, unknown>;
    };
    assert.equal(vpcConfig['endpointPublicAccess'], false);
    assert.equal(vpcConfig['endpointPrivateAccess'], true);
  }
  assert.deepEqual(
    (cluster.inputs['vpcConfig'] as { subnetIds: unknown }).subnetIds,
    privateSubnetIds,
  );
});

test('listed private networks reach the API on its port only', () => {
  const { inputs } = onlyOf(dev, 'vpc/securityGroupIngressRule:SecurityGroupIngressRule');
  const { cidrIpv4, fromPort, toPort, securityGroupId } = inputs;
  assert.deepEqual([cidrIpv4, fromPort, toPort], ['10.1.0.0/16', 443, 443]);
  assert.equal(securityGroupId, 'sg-cluster');
});

test('secrets in the cluster are encrypted under their own key', () => {
  assert.deepEqual(cluster.inputs['encryptionConfig'], {
    provider: { keyArn: keyOf('cluster') },
    resources: ['secrets'],
  });
});

test('all control plane logs, audit included, go to a log group that is created before the cluster', () => {
  const types = ['api', 'audit', 'authenticator', 'controllerManager', 'scheduler'];
  assert.deepEqual(cluster.inputs['enabledClusterLogTypes'], types);
  const group = allOf(resources, 'cloudwatch/logGroup:LogGroup').find(
    ({ inputs }) => inputs['name'] === '/aws/eks/posthorn-prod/cluster',
  );
  assert.equal(group?.inputs['kmsKeyId'], keyOf('log'));
  assert.ok(cluster.dependsOn.some((urn) => urn.endsWith(`LogGroup::${group?.name}`)));
});

test('only access entries of the listed roles grant access', () => {
  assert.deepEqual(cluster.inputs['accessConfig'], {
    authenticationMode: 'API',
    bootstrapClusterCreatorAdminPermissions: false,
  });
  const { inputs } = onlyOf(resources, 'eks/accessEntry:AccessEntry');
  assert.equal(inputs['principalArn'], `arn:aws:iam::${ACCOUNT}:role/platform-admin`);
});

test('prod is protected from deletion', () => {
  assert.equal(cluster.inputs['deletionProtection'], true);
  assert.equal(cluster.protect, true);
});

test('nodes are in private subnets only', () => {
  for (const { name, inputs } of nodeGroups) {
    for (const id of inputs['subnetIds'] as string[]) {
      assert.ok(privateSubnetIds.includes(id), name);
    }
  }
});

test('brokers and databases have a group of one node in each zone, and the other groups span all zones', () => {
  const ofPool = (pool: string) =>
    nodeGroups.filter(
      ({ inputs }) => (inputs['labels'] as Record<string, string>)['posthorn.dev/pool'] === pool,
    );
  for (const pool of ['nats', 'mongodb']) {
    const groups = ofPool(pool);
    assert.deepEqual(
      groups.map(({ inputs }) => inputs['subnetIds']),
      privateSubnetIds.map((id) => [id]),
    );
    for (const { inputs } of groups) {
      assert.deepEqual(inputs['scalingConfig'], { minSize: 1, maxSize: 1, desiredSize: 1 });
      const taint = { key: 'posthorn.dev/pool', value: pool, effect: 'NO_SCHEDULE' };
      assert.deepEqual(inputs['taints'], [taint]);
      assert.equal(inputs['capacityType'], 'ON_DEMAND');
    }
  }
  for (const pool of ['system', 'worker']) {
    assert.deepEqual(ofPool(pool)[0]?.inputs['subnetIds'], privateSubnetIds);
  }
  assert.equal(nodeGroups.length, 8);
});

test('the autoscaler may change the size of a group, and the program keeps that size', () => {
  for (const { ignoreChanges } of nodeGroups) {
    assert.deepEqual(ignoreChanges, ['scalingConfig.desiredSize']);
  }
});

test('only the workers of dev run on spot capacity', () => {
  const spot = allOf(dev, 'eks/nodeGroup:NodeGroup').filter(
    ({ inputs }) => inputs['capacityType'] === 'SPOT',
  );
  assert.deepEqual(namesOf(spot), ['posthorn-dev-worker']);
});

test('every node requires version 2 of the metadata service and hides it from its pods', () => {
  const templates = allOf(resources, 'ec2/launchTemplate:LaunchTemplate');
  assert.deepEqual(namesOf(templates), namesOf(nodeGroups));
  for (const { name, inputs } of templates) {
    const options = inputs['metadataOptions'] as Record<string, unknown>;
    assert.equal(options['httpTokens'], 'required', name);
    assert.equal(options['httpPutResponseHopLimit'], 1, name);
  }
  for (const { name, inputs } of nodeGroups) {
    assert.equal((inputs['launchTemplate'] as { id: string }).id, `${name}-id`);
  }
});

test('every volume of a node is gp3, encrypted under the key of volumes', () => {
  for (const { name, inputs } of allOf(resources, 'ec2/launchTemplate:LaunchTemplate')) {
    const disks = inputs['blockDeviceMappings'] as { ebs: Record<string, unknown> }[];
    assert.equal(disks.length, 2);
    for (const { ebs } of disks) {
      assert.deepEqual([ebs['volumeType'], ebs['encrypted']], ['gp3', 'true'], name);
      assert.equal(ebs['kmsKeyId'], keyOf('volume'), name);
    }
  }
});

test('network add-ons are installed before the nodes, and the others after them', () => {
  const before = nodeGroups.flatMap(({ dependsOn }) => dependsOn);
  for (const addOn of ['vpc-cni', 'eks-pod-identity-agent', 'kube-proxy']) {
    assert.ok(
      before.some((urn) => urn.endsWith(`Addon::${addOn}`)),
      addOn,
    );
  }
  for (const { name, dependsOn } of allOf(resources, 'eks/addon:Addon')) {
    const afterNodes = dependsOn.some((urn) => urn.includes('nodeGroup:NodeGroup::'));
    assert.equal(afterNodes, ['coredns', 'aws-ebs-csi-driver'].includes(name), name);
  }
});

test('network policies are enforced', () => {
  const cni = allOf(resources, 'eks/addon:Addon').find(({ name }) => name === 'vpc-cni');
  const values = JSON.parse(String(cni?.inputs['configurationValues'])) as Record<string, unknown>;
  assert.equal(values['enableNetworkPolicy'], 'true');
});

test('exactly the listed service accounts have an identity, and none of them sends webhooks', () => {
  const associations = allOf(resources, 'eks/podIdentityAssociation:PodIdentityAssociation');
  assert.deepEqual(
    associations
      .map(({ inputs }) => `${String(inputs['namespace'])}/${String(inputs['serviceAccount'])}`)
      .toSorted(),
    [
      'external-secrets/external-secrets',
      'kube-system/aws-load-balancer-controller',
      'kube-system/cluster-autoscaler',
      'mongodb/mongodb-backup',
      'posthorn/posthorn-control',
    ],
  );
});
