/** All stacks in one account: names that AWS wants unique, and resources that AWS has once. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stacks } from '../stack-file.ts';
import { type Recorded, recordPlatform } from './kit/record-platform.ts';

/** The field that names a resource, for types whose names the program chooses. */
const NAMES: Readonly<Record<string, string>> = {
  'backup/plan:Plan': 'name',
  'backup/vault:Vault': 'name',
  'budgets/budget:Budget': 'name',
  'cloudwatch/logGroup:LogGroup': 'name',
  'cloudwatch/metricAlarm:MetricAlarm': 'name',
  'ecr/pullThroughCacheRule:PullThroughCacheRule': 'ecrRepositoryPrefix',
  'ecr/repository:Repository': 'name',
  'ecr/repositoryCreationTemplate:RepositoryCreationTemplate': 'prefix',
  'eks/cluster:Cluster': 'name',
  'kms/alias:Alias': 'name',
  's3/bucket:Bucket': 'bucket',
  'secretsmanager/secret:Secret': 'name',
  'sns/topic:Topic': 'name',
};
/** AWS has one in each account and region. */
const SINGLETONS = ['ecr/replicationConfiguration:ReplicationConfiguration'];
/** Names that are unique over all regions. */
const GLOBAL = ['s3/bucket:Bucket', 'budgets/budget:Budget'];

const kindOf = ({ type }: Recorded): string => type.replace('aws:', '');

async function resourcesByRegion() {
  const found: { region: string; kind: string; stack: string; resource: Recorded }[] = [];
  for (const stack of stacks) {
    const { resources } = await recordPlatform(stack, { mongodbMode: 'operator' });
    const regions = new Map(
      resources
        .filter(({ type }) => type === 'pulumi:providers:aws')
        .map(({ name, inputs }) => [name, String(inputs['region'])]),
    );
    for (const resource of resources) {
      const region = regions.get(resource.provider) ?? '';
      found.push({ region, kind: kindOf(resource), stack, resource });
    }
  }
  return found;
}
const all = await resourcesByRegion();

test('no two stacks of one account give a resource the same name', () => {
  const owners = new Map<string, string>();
  for (const { region, kind, stack, resource } of all) {
    const field = NAMES[kind];
    if (field === undefined) continue;
    const name = String(resource.inputs[field]);
    assert.notEqual(name, 'undefined', `${kind} ${resource.name}`);
    const key = [GLOBAL.includes(kind) ? '' : region, kind, name].join(' ');
    assert.equal(owners.get(key), undefined, `${key} of ${stack}`);
    owners.set(key, stack);
  }
  const kinds = new Set([...owners.keys()].map((key) => key.split(' ')[1]));
  assert.deepEqual([...kinds].map(String).toSorted(), Object.keys(NAMES).toSorted());
});

test('every resource that the program names itself is in the comparison', () => {
  // A name inside the cluster, or unique in its parent, which is compared.
  const inside = /^kubernetes:|^(eks\/addon:Addon|backup\/selection:Selection)$/;
  for (const { kind, resource } of all) {
    if (inside.test(kind) || inside.test(resource.type)) continue;
    if ('name' in resource.inputs) assert.ok(kind in NAMES, `${kind} ${resource.name}`);
  }
});

test('a resource that AWS has once for each account and region is the same in every stack', async () => {
  const stage = await recordPlatform('stage', { recoveryRegion: 'eu-west-1' });
  const runs = [
    stage.resources,
    all.filter(({ stack }) => stack === 'prod').map((one) => one.resource),
  ];
  for (const kind of SINGLETONS) {
    const [first, second] = runs.map((run) => run.filter((resource) => kindOf(resource) === kind));
    assert.equal(first?.length, 1, kind);
    assert.deepEqual(first?.[0]?.inputs, second?.[0]?.inputs, kind);
    // The last stack that goes must not take it from the others.
    assert.equal(first?.[0]?.retainOnDelete, true, kind);
  }
});
