import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allOf, namesOf, onlyOf } from '../kit/find-resources.ts';
import { type Recorded, recordPlatform } from '../kit/record-platform.ts';
import { ACCOUNT } from '../../stack-file.ts';

const { resources } = await recordPlatform('prod', { mongodbMode: 'operator' });
const { resources: dev } = await recordPlatform('dev');
const buckets = allOf(resources, 's3/bucket:Bucket');

const HOME_KEY = 'arn:aws:kms:::posthorn-prod-data';
const RECOVERY_KEY = 'arn:aws:kms:::posthorn-prod-recovery-key';
const keyAt = ({ provider }: Recorded): string => (provider === 'home' ? HOME_KEY : RECOVERY_KEY);

/** The resource of a type that belongs to a bucket; each bucket has to have one. */
function partOf(bucket: Recorded, type: string): Recorded {
  const part = allOf(resources, type).find(({ name }) => name === bucket.name);
  assert.ok(part, `${bucket.name} has a ${type}`);
  assert.equal(part.inputs['bucket'], bucket.inputs['bucket']);
  assert.equal(part.provider, bucket.provider);
  return part;
}

test('every key rotates, is protected, and is deleted only after 30 days', () => {
  const keys = allOf(resources, 'kms/key:Key');
  assert.deepEqual(namesOf(keys), [
    'posthorn-prod-cluster',
    'posthorn-prod-data',
    'posthorn-prod-log',
    'posthorn-prod-recovery-key',
    'posthorn-prod-volume',
  ]);
  for (const { name, inputs, protect } of keys) {
    assert.equal(inputs['enableKeyRotation'], true, name);
    assert.equal(inputs['deletionWindowInDays'], 30, name);
    assert.ok(protect, name);
  }
});

test('bucket names are known in advance in both regions, and the buckets are protected', () => {
  assert.deepEqual(buckets.map(({ inputs }) => String(inputs['bucket'])).toSorted(), [
    `posthorn-prod-archive-${ACCOUNT}-eu-central-1`,
    `posthorn-prod-archive-copy-${ACCOUNT}-eu-west-1`,
    `posthorn-prod-mongodb-backup-${ACCOUNT}-eu-central-1`,
    `posthorn-prod-mongodb-copy-${ACCOUNT}-eu-west-1`,
  ]);
  for (const { name, protect, retainOnDelete, inputs } of buckets) {
    assert.ok(protect && retainOnDelete, name);
    assert.equal(inputs['forceDestroy'], false, name);
  }
});

test('every bucket is encrypted, keeps versions, and is closed to the public', () => {
  for (const bucket of buckets) {
    const encryption = partOf(
      bucket,
      's3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration',
    );
    assert.deepEqual(encryption.inputs['rules'], [
      {
        applyServerSideEncryptionByDefault: {
          sseAlgorithm: 'aws:kms',
          kmsMasterKeyId: keyAt(bucket),
        },
        bucketKeyEnabled: true,
      },
    ]);
    const versioning = partOf(bucket, 's3/bucketVersioning:BucketVersioning');
    assert.deepEqual(versioning.inputs['versioningConfiguration'], { status: 'Enabled' });
    const block = partOf(bucket, 's3/bucketPublicAccessBlock:BucketPublicAccessBlock');
    const { bucket: _, ...switches } = block.inputs;
    assert.deepEqual(switches, {
      blockPublicAcls: true,
      blockPublicPolicy: true,
      ignorePublicAcls: true,
      restrictPublicBuckets: true,
    });
    const ownership = partOf(bucket, 's3/bucketOwnershipControls:BucketOwnershipControls');
    assert.deepEqual(ownership.inputs['rule'], { objectOwnership: 'BucketOwnerEnforced' });
    partOf(bucket, 's3/bucketPolicy:BucketPolicy');
  }
});

test('archives move to cold storage and expire, and backups expire after their retention time', () => {
  const ruleOf = (name: string): Record<string, unknown> => {
    const bucket = buckets.find((candidate) => candidate.name === name);
    assert.ok(bucket, name);
    const lifecycle = partOf(
      bucket,
      's3/bucketLifecycleConfiguration:BucketLifecycleConfiguration',
    );
    return (lifecycle.inputs['rules'] as Record<string, unknown>[])[0] ?? {};
  };
  const archive = ruleOf('posthorn-prod-archive');
  assert.deepEqual(archive['transitions'], [
    { days: 30, storageClass: 'STANDARD_IA' },
    { days: 90, storageClass: 'GLACIER_IR' },
  ]);
  assert.deepEqual(archive['expiration'], { days: 400 });
  assert.deepEqual(ruleOf('posthorn-prod-recovery-archive')['expiration'], { days: 400 });
  const backup = ruleOf('posthorn-prod-mongodb-backup');
  assert.equal(backup['transitions'], undefined);
  assert.deepEqual(backup['expiration'], { days: 35 });
});

test('pushed tags are immutable, and images are scanned and encrypted in both regions', () => {
  const repositories = allOf(resources, 'ecr/repository:Repository');
  assert.deepEqual(repositories.map(({ provider }) => provider).toSorted(), ['home', 'recovery']);
  for (const repository of repositories) {
    const { inputs } = repository;
    assert.equal(inputs['name'], 'posthorn-prod');
    assert.equal(inputs['imageTagMutability'], 'IMMUTABLE');
    assert.deepEqual(inputs['imageScanningConfiguration'], { scanOnPush: true });
    assert.deepEqual(inputs['encryptionConfigurations'], [
      { encryptionType: 'KMS', kmsKey: keyAt(repository) },
    ]);
  }
});

test('the secret is created encrypted and protected, without a value', () => {
  const { inputs, protect } = onlyOf(resources, 'secretsmanager/secret:Secret');
  assert.equal(inputs['name'], 'posthorn/prod');
  assert.equal(inputs['kmsKeyId'], HOME_KEY);
  assert.ok(protect);
  assert.deepEqual(
    resources.filter(({ type }) => /secretVersion|random/i.test(type)),
    [],
  );
});

test('every log group is encrypted and has a retention time', () => {
  for (const [from, days] of [
    [resources, 365],
    [dev, 14],
  ] as const) {
    const groups = allOf(from, 'cloudwatch/logGroup:LogGroup');
    assert.equal(groups.length, 2);
    for (const { name, inputs } of groups) {
      assert.match(String(inputs['kmsKeyId']), /^arn:aws:kms:::posthorn-\w+-log$/, name);
      assert.equal(inputs['retentionInDays'], days, name);
    }
  }
});

test('volumes and archive are backed up each night into a locked, encrypted, protected vault', () => {
  const vault = allOf(resources, 'backup/vault:Vault').find(({ provider }) => provider === 'home');
  assert.equal(vault?.inputs['kmsKeyArn'], HOME_KEY);
  assert.equal(vault?.protect, true);
  const locks = allOf(resources, 'backup/vaultLockConfiguration:VaultLockConfiguration');
  for (const { inputs, retainOnDelete } of locks) {
    assert.equal(inputs['minRetentionDays'], 7);
    // Compliance mode: with days after which the lock is final.
    assert.equal(inputs['changeableForDays'], 7);
    assert.equal(retainOnDelete, true);
  }
  assert.deepEqual(locks.map(({ inputs }) => String(inputs['backupVaultName'])).toSorted(), [
    'posthorn-prod',
    'posthorn-prod-copies',
  ]);
  const [rule] = onlyOf(resources, 'backup/plan:Plan').inputs['rules'] as {
    targetVaultName: string;
    schedule: string;
    lifecycle: unknown;
  }[];
  assert.equal(rule?.targetVaultName, 'posthorn-prod');
  assert.equal(rule?.schedule, 'cron(0 2 * * ? *)');
  assert.deepEqual(rule?.lifecycle, { deleteAfter: 35 });
  const selections = allOf(resources, 'backup/selection:Selection');
  const tags = selections.flatMap(({ inputs }) => inputs['selectionTags'] ?? []);
  assert.deepEqual(tags, [
    { type: 'STRINGEQUALS', key: 'posthorn-backup', value: 'posthorn-prod' },
  ]);
  assert.deepEqual(
    selections.flatMap(({ inputs }) => inputs['resources'] ?? []),
    [`arn:aws:s3:::posthorn-prod-archive-${ACCOUNT}-eu-central-1`],
  );
});

test('the volume driver sets the tag by which backups select volumes', () => {
  const driver = allOf(resources, 'eks/addon:Addon').find(
    ({ name }) => name === 'aws-ebs-csi-driver',
  );
  assert.deepEqual(JSON.parse(String(driver?.inputs['configurationValues'])), {
    controller: { extraVolumeTags: { 'posthorn-backup': 'posthorn-prod' } },
  });
});

test('an external MongoDB has no bucket and no nodes, and has an endpoint when it is named', async () => {
  assert.deepEqual(
    allOf(dev, 's3/bucket:Bucket').map(({ name }) => name),
    ['posthorn-dev-archive'],
  );
  const pools = allOf(dev, 'eks/nodeGroup:NodeGroup').map(({ name }) => name);
  assert.equal(pools.filter((name) => name.includes('mongodb')).length, 0);
  const service = 'com.amazonaws.vpce.eu-central-1.vpce-svc-0a1b2c3d4e';
  const atlas = await recordPlatform('dev', { mongodbEndpointService: service });
  const endpoint = allOf(atlas.resources, 'ec2/vpcEndpoint:VpcEndpoint').find(
    ({ inputs }) => inputs['serviceName'] === service,
  );
  assert.equal((endpoint?.inputs['subnetIds'] as string[] | undefined)?.length, 3);
  assert.equal(atlas.outputs['mongodbPrivateEndpointId'], `${endpoint?.name}-id`);
});
