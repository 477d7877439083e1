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

/** The users that a page adds to the values of NATS, with the paths of its patches. */
function addedUsers(page: string): { paths: string[]; user: unknown; authUser: unknown }[] {
  return blocksOf(projectText(page), 'yaml')
    .map((block) => at(parse(block), 'config', 'patch') as { path: string; value: unknown }[])
    .filter((patches) => patches !== undefined)
    .map(([user, authUser]) => ({
      paths: [user?.path ?? '', authUser?.path ?? ''],
      user: at(user?.value, 'user'),
      authUser: authUser?.value,
    }));
}

test('users of NATS are added to the lists that the values have', () => {
  const pages = ['docs/operations/upgrade.md', 'docs/operations/secrets.md'];
  const [[old, ...more] = [], operators = []] = pages.map(addedUsers);
  assert.deepEqual([more.length, operators.length], [0, 1]);
  const before = at(valuesOf('charts/nats/values.yaml'), 'config', 'merge', 'authorization');
  assert.equal(old?.user, at(before, 'users', 0, 'user'));
  for (const { paths, user, authUser } of [old, ...operators].filter((one) => one !== undefined)) {
    assert.equal(user, authUser);
    for (const path of paths) {
      const keys = path.split('/').slice(1, -1);
      for (const file of ['charts/nats/values.yaml', 'charts/nats/users.yaml']) {
        assert.ok(
          Array.isArray(at(valuesOf(file), 'config', 'merge', ...keys)),
          `${file}: ${path}`,
        );
      }
    }
    assert.deepEqual(paths, ['/authorization/users/-', '/authorization/auth_callout/auth_users/-']);
  }
});

test('no role can take a backup of JetStream, so its page names the user that can', () => {
  assert.doesNotMatch(projectText('charts/nats/users.yaml'), /STREAM\.(SNAPSHOT|RESTORE)/);
  const user = addedUsers('docs/operations/secrets.md')[0]?.user;
  assert.ok(projectText('docs/operations/backup.md').includes(`NATS_USER=${String(user)}`));
});

test('the page links every upgrade that the changes name for NATS, volumes and metrics', () => {
  const [unreleased = ''] = projectText('CHANGELOG.md').split(/^## (?!Unreleased)/m);
  for (const named of ['natsPassword', 'KV_BEHIND', 'label `job`', 'StatefulSet']) {
    assert.ok(unreleased.includes(named), named);
    assert.ok(text.includes(named), named);
  }
});
