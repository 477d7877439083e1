import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allOf, onlyOf } from '../kit/find-resources.ts';
import { recordPlatform } from '../kit/record-platform.ts';
import { ACCOUNT } from '../../stack-file.ts';

const primary = await recordPlatform('prod', { mongodbMode: 'operator' });
const site = await recordPlatform('prod-recovery');
const dev = await recordPlatform('dev');

const RECOVERY_KEY = 'arn:aws:kms:::posthorn-prod-recovery-key';

test('each bucket replicates to the other region under the key there, without deletions', () => {
  const configs = allOf(primary.resources, 's3/bucketReplicationConfig:BucketReplicationConfig');
  const copies = configs.map(({ inputs }) => {
    const [rule] = inputs['rules'] as Record<string, Record<string, unknown>>[];
    assert.deepEqual(rule?.['deleteMarkerReplication'], { status: 'Disabled' });
    assert.deepEqual(rule?.['sourceSelectionCriteria'], {
      sseKmsEncryptedObjects: { status: 'Enabled' },
    });
    const destination = rule?.['destination'] ?? {};
    assert.deepEqual(destination['encryptionConfiguration'], { replicaKmsKeyId: RECOVERY_KEY });
    return [inputs['bucket'], destination['bucket']];
  });
  assert.deepEqual(copies, [
    [
      `posthorn-prod-archive-${ACCOUNT}-eu-central-1`,
      `arn:aws:s3:::posthorn-prod-archive-copy-${ACCOUNT}-eu-west-1`,
    ],
    [
      `posthorn-prod-mongodb-backup-${ACCOUNT}-eu-central-1`,
      `arn:aws:s3:::posthorn-prod-mongodb-copy-${ACCOUNT}-eu-west-1`,
    ],
  ]);
});

test('images, secrets and backups are copied to the other region', () => {
  const { inputs } = onlyOf(
    primary.resources,
    'ecr/replicationConfiguration:ReplicationConfiguration',
  );
  assert.deepEqual(inputs['replicationConfiguration'], {
    rules: [
      {
        destinations: [{ region: 'eu-west-1', registryId: ACCOUNT }],
        repositoryFilters: [{ filter: 'posthorn-', filterType: 'PREFIX_MATCH' }],
      },
    ],
  });
  for (const secret of allOf(primary.resources, 'secretsmanager/secret:Secret')) {
    const replicas = [{ region: 'eu-west-1', kmsKeyId: RECOVERY_KEY }];
    assert.deepEqual(secret.inputs['replicas'], replicas, secret.name);
  }
  const [rule] = onlyOf(primary.resources, 'backup/plan:Plan').inputs['rules'] as {
    copyActions: unknown;
  }[];
  assert.deepEqual(rule?.copyActions, [
    {
      destinationVaultArn: 'arn:aws:backup:::posthorn-prod-copies',
      lifecycle: { deleteAfter: 35 },
    },
  ]);
});

test('addresses of the recovery site exist and are published in advance', () => {
  const eips = allOf(primary.resources, 'ec2/eip:Eip').filter(
    ({ provider }) => provider === 'recovery',
  );
  assert.equal(eips.length, 5);
  for (const { name, protect, retainOnDelete } of eips) assert.ok(protect && retainOnDelete, name);
  assert.equal((primary.outputs['recoveryEgressAddresses'] as string[]).length, 5);
  assert.deepEqual(
    primary.outputs['recoveryEgressAllocationIds'],
    eips.map(({ name }) => `eipalloc-${name}`),
  );
});

test('copies are in the recovery region, created by its own provider', () => {
  const [home, otherRegion] = ['home', 'recovery'].map((name) =>
    primary.resources.find(
      (resource) => resource.type === 'pulumi:providers:aws' && resource.name === name,
    ),
  );
  assert.equal(home?.inputs['region'], 'eu-central-1');
  assert.equal(otherRegion?.inputs['region'], 'eu-west-1');
  const there = primary.resources.filter(({ provider }) => provider === 'recovery');
  assert.ok(there.length > 20);
});

test('a stack without a recovery region copies nothing', () => {
  const types = dev.resources.map(({ type }) => type).filter((type) => /[Rr]eplication/.test(type));
  assert.deepEqual(types, []);
  assert.deepEqual(dev.outputs['recoveryEgressAddresses'], []);
});

test('a recovery site needs nothing of the primary region', () => {
  const text = JSON.stringify(site);
  assert.ok(!text.includes('eu-central-1'), 'the primary region is not named');
  const provider = onlyOf(site.resources, 'pulumi:providers:aws'.slice('pulumi:'.length));
  assert.equal(provider.inputs['region'], 'eu-west-1');
});

test('a recovery site sends from the addresses that were published for it', () => {
  const gateways = allOf(site.resources, 'ec2/natGateway:NatGateway');
  assert.deepEqual(
    gateways.map(({ inputs }) => inputs['allocationId']),
    ['eipalloc-00000001', 'eipalloc-00000002', 'eipalloc-00000003'],
  );
  assert.equal(site.resources.filter(({ type }) => type.endsWith(':Eip')).length, 0);
  assert.deepEqual(site.outputs['egressAddresses'], ['203.0.113.1', '203.0.113.2', '203.0.113.3']);
});

test('a recovery site uses the copies instead of creating data of its own', () => {
  for (const type of [
    's3/bucket:Bucket',
    'secretsmanager/secret:Secret',
    'ecr/repository:Repository',
  ]) {
    assert.equal(site.resources.filter((resource) => resource.type.endsWith(type)).length, 0, type);
  }
  assert.equal(site.outputs['archiveBucket'], `posthorn-prod-archive-copy-${ACCOUNT}-eu-west-1`);
});

test('a standby has no workers until it takes over', async () => {
  const sizeOf = (from: typeof site) =>
    allOf(from.resources, 'eks/nodeGroup:NodeGroup').find(({ name }) => name.endsWith('-worker'))
      ?.inputs['scalingConfig'];
  assert.deepEqual(sizeOf(site), { minSize: 0, maxSize: 18, desiredSize: 0 });
  const active = await recordPlatform('prod-recovery', { standby: 'false' });
  assert.deepEqual(sizeOf(active), { minSize: 3, maxSize: 18, desiredSize: 3 });
});
