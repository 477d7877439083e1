/**
 * Argo CD follows a repository with charts/ and argocd/, from the root application to pods, and
 * applies later changes.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { waitUntil } from '#testkit/wait-until.ts';
import { posthornOf } from '../../argocd/environments.ts';
import { at, type Manifest } from '../../manifests.ts';
import type { ControlPlane } from '../control-plane.ts';
import { assertFirstSync, assertInOrder, createdAt, timeAt, waveOf } from './first-sync.ts';
import { Installation, patience, withoutArgo } from './installation.ts';
import { failingTag } from './operator-stages.ts';

const skip = withoutArgo();
const environment = 'dev';

let installation: Installation;
let plane: ControlPlane;

before(async () => {
  if (skip !== false) return;
  installation = await Installation.start(environment);
  ({ plane } = installation);
});
after(() => installation?.stop());

function ours(apiVersion: string, kind: string, name: string): Manifest {
  return { apiVersion, kind, metadata: { name, namespace: 'posthorn' } };
}
const delivery = ours('apps/v1', 'Deployment', 'posthorn-delivery');
const budget = ours('policy/v1', 'PodDisruptionBudget', 'posthorn-delivery');
const migration = ours('batch/v1', 'Job', 'posthorn-migrate');

/**
 * Commits a state and notifies Argo CD, as the webhook of a repository does.
 *
 * @returns the commit
 */
async function rollOut(tag: string, others: object = {}): Promise<string> {
  const file = `argocd/environments/${environment}/image.yaml`;
  const made = await installation.repository.commit(file, { image: { tag }, ...others });
  const annotations = { 'argocd.argoproj.io/refresh': 'hard' };
  await plane.api.merge(await installation.application('posthorn'), { metadata: { annotations } });
  return made;
}

/** Waits until the sync of this commit fails with this reason and is to be retried. */
async function untilFailed(revision: string, reason: RegExp): Promise<void> {
  const failed = ({ operationState: state }: Record<string, unknown>): boolean =>
    String(at(state, 'message')).includes('Retrying attempt') &&
    at(state, 'syncResult', 'revision') === revision &&
    reason.test(JSON.stringify(at(state, 'syncResult', 'resources')));
  await installation.untilApplication('posthorn', failed, `fails: ${reason.source}`);
}

const imageTagOf = async (of: Manifest): Promise<string | undefined> => {
  const { spec } = await plane.api.get(of);
  return String(at(spec, 'template', 'spec', 'containers', 0, 'image')).split(':')[1];
};

test('Argo CD deploys everything from the root application to the pods', { skip }, async () => {
  await assertFirstSync(installation);
  assert.equal(at(await plane.api.get(delivery), 'status', 'availableReplicas'), 1);
});

test('the migration of the application ends before any role runs', { skip }, async () => {
  const steps = [];
  for (const manifest of await posthornOf(environment)) {
    // Only helm applies this object.
    if (manifest.metadata.annotations?.['argocd.argoproj.io/hook'] === 'Skip') continue;
    const metadata = { ...manifest.metadata, namespace: 'posthorn' };
    const found = await plane.api.get({ ...manifest, metadata });
    const begun = createdAt(found);
    const ended = found.kind === 'Job' ? timeAt(found, 'status', 'completionTime') : begun;
    steps.push({ name: `${found.kind} ${metadata.name}`, wave: waveOf(manifest), begun, ended });
  }
  assertInOrder(steps);
});

test('a commit with another image rolls out after its migration', { skip }, async () => {
  await plane.api.merge(delivery, { spec: { replicas: 2 } });
  const tag = 'c0ffee'.padEnd(40, '0');
  const { uid } = (await plane.api.get(migration)).metadata;
  await installation.inForce('posthorn', await rollOut(tag));
  assert.equal(await imageTagOf(delivery), tag);
  assert.equal(await imageTagOf(migration), tag);
  assert.notEqual((await plane.api.get(migration)).metadata.uid, uid);
  assert.equal(
    (await plane.api.get(delivery)).spec?.['replicas'],
    2,
    'the choice of an autoscaler',
  );
});

test('Argo CD reverts changes and removals by hand without a migration', { skip }, async () => {
  const { uid } = (await plane.api.get(migration)).metadata;
  const removed = (await plane.api.get(budget)).metadata.uid;
  const grace = async (): Promise<unknown> =>
    at(await plane.api.get(delivery), 'spec', 'template', 'spec', 'terminationGracePeriodSeconds');
  const seconds = await grace();
  const spec = { terminationGracePeriodSeconds: 5 };
  await plane.api.merge(delivery, { spec: { template: { spec } } });
  await plane.api.delete(budget);
  const back = async (): Promise<boolean> =>
    (await grace()) === seconds && (await plane.api.get(budget)).metadata.uid !== removed;
  await waitUntil(back, { ...patience, what: 'both are as Git says' });
  await installation.inForce('posthorn');
  assert.equal((await plane.api.get(migration)).metadata.uid, uid);
});

test('a failed migration ends the roll-out until a commit fixes it', { skip }, async () => {
  const tag = await imageTagOf(delivery);
  const failing = await rollOut(failingTag, { migration: { backoffLimit: 0 } });
  await untilFailed(failing, /reached the specified backoff limit/);
  assert.equal(await imageTagOf(migration), failingTag);
  assert.equal(await imageTagOf(delivery), tag);
  const mended = 'decade'.padEnd(40, '0');
  await installation.inForce('posthorn', await rollOut(mended));
  assert.equal(await imageTagOf(delivery), mended);
});

test('an object that the API server rejects stops the later waves', { skip }, async () => {
  const tag = await imageTagOf(delivery);
  const next = 'facade'.padEnd(40, '0');
  const resources = { limits: { memory: '1Mi' } };
  const refused = await rollOut(next, { migration: { resources } });
  await untilFailed(refused, /must be less than or equal to memory limit/);
  assert.equal(await imageTagOf(delivery), tag);
  await installation.inForce('posthorn', await rollOut(next));
  assert.equal(await imageTagOf(delivery), next);
});
