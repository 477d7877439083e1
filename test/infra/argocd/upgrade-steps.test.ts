/** The steps of docs/operations/upgrade.md against the values and charts that they change. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse } from 'yaml';
import { storageInputs, storagePlan } from '../../../pulumi/storage-plan.ts';
import { projectText } from '../../docs/project-files.ts';
import { blocksOf, commandsOf } from '../guide.ts';
import { at } from '../manifests.ts';

const text = projectText('docs/operations/upgrade.md');
const commands = commandsOf(text);
const valuesOf = (path: string): unknown => parse(projectText(path));

test('the volumes of all brokers of prod grow to the size in Git, without loss of pods', () => {
  const patch = commands.find((one) => one.includes(' patch persistentvolumeclaim ')) ?? '';
  const replicas = at(valuesOf('charts/nats/values.yaml'), 'config', 'cluster', 'replicas');
  // The chart of NATS names the claims after its release, and the pods.
  const claims = [...patch.matchAll(/\snats-js-nats-(\d+)(?=\s)/g)].map(([, index]) => index);
  assert.deepEqual(
    claims,
    Array.from({ length: Number(replicas) }, (_, index) => String(index)),
  );
  const size = `${storagePlan(storageInputs.prod).volumeGib}Gi`;
  const [, object = ''] = /--patch '(.*)'/.exec(patch) ?? [];
  assert.equal(at(JSON.parse(object), 'spec', 'resources', 'requests', 'storage'), size);
  assert.ok(text.includes(`capacity of \`${size}\``));
  const pvc = at(valuesOf('charts/nats/values.yaml'), 'config', 'jetstream', 'fileStore', 'pvc');
  assert.equal(at(pvc, 'storageClassName'), 'gp3');
  assert.match(
    projectText('argocd/foundation/templates/storage-class.yaml'),
    /name: gp3[\s\S]*allowVolumeExpansion: true/,
  );
  assert.ok(commands.some((one) => one.endsWith(' delete statefulset nats --cascade=orphan')));
});

test('the old user of NATS is added to lists that the values have', () => {
  const [block = ''] = blocksOf(text, 'yaml');
  const patches = at(parse(block), 'config', 'patch') as { path: string; value: unknown }[];
  const users = at(valuesOf('charts/nats/users.yaml'), 'config', 'merge');
  assert.deepEqual(
    patches.map(({ path }) => path),
    ['/authorization/users/-', '/authorization/auth_callout/auth_users/-'],
  );
  for (const { path } of patches) {
    const keys = path.split('/').slice(1, -1);
    assert.ok(Array.isArray(at(users, ...keys)), path);
  }
  const before = at(valuesOf('charts/nats/values.yaml'), 'config', 'merge', 'authorization');
  const user = at(before, 'users', 0, 'user');
  assert.deepEqual([at(patches[0]?.value, 'user'), patches[1]?.value], [user, user]);
});

test('the page links every upgrade that the changes name for NATS, volumes and metrics', () => {
  const [unreleased = ''] = projectText('CHANGELOG.md').split(/^## (?!Unreleased)/m);
  for (const named of ['natsPassword', 'KV_BEHIND', 'label `job`', 'StatefulSet']) {
    assert.ok(unreleased.includes(named), named);
    assert.ok(text.includes(named), named);
  }
});
