/**
 * Argo CD follows a repository with charts/ and argocd/, from the root application to pods, and
 * applies later changes.
 */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { makeTempDir, type TempDir } from '#testkit/temp-dir.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { applicationsOf, posthornOf, rootOf } from '../argocd/environments.ts';
import { at, type Manifest } from '../manifests.ts';
import { tools, without } from '../tools.ts';
import { type ArgoCd, startArgoCd } from './argo-cd.ts';
import { operatorKinds, stagesFile } from './cluster-files.ts';
import { argoTools, clusterTools, withoutCluster } from './cluster-tools.ts';
import { type ControlPlane, startControlPlane } from './control-plane.ts';
import { GitRepository } from './git-repository.ts';
import type { KubeObject } from './kube-api.ts';
import { failingTag, operatorStages } from './operator-stages.ts';
import { StandInCharts } from './stand-in-charts.ts';
import { makeNodes } from './zones.ts';

const skip =
  without(tools.helm) ||
  withoutCluster(...Object.values(clusterTools), ...Object.values(argoTools));
const environment = 'dev';
/** Generous, because the machine may be busy with other work. */
const patience = { deadlineMs: 120_000, intervalMs: 250 };

let dir: TempDir;
let charts: StandInCharts;
let repository: GitRepository;
let plane: ControlPlane;
let argo: ArgoCd;

before(async () => {
  if (skip !== false) return;
  dir = await makeTempDir();
  charts = await StandInCharts.serve(dir.path);
  repository = await GitRepository.make(dir.path, charts.url);
  const stages = join(dir.path, 'stages.yaml');
  await writeFile(stages, `${await readFile(stagesFile(), 'utf8')}\n---\n${operatorStages()}`);
  plane = await startControlPlane(operatorKinds, stages);
  await makeNodes(plane.api);
  argo = await startArgoCd(plane, { dir: dir.path, charts: charts.url });
});
after(async () => {
  await argo?.stop();
  await plane?.stop();
  await charts?.close();
  await dir?.remove();
});

function ours(apiVersion: string, kind: string, name: string): Manifest {
  return { apiVersion, kind, metadata: { name, namespace: 'posthorn' } };
}
const delivery = ours('apps/v1', 'Deployment', 'posthorn-delivery');
const budget = ours('policy/v1', 'PodDisruptionBudget', 'posthorn-delivery');
const migration = ours('batch/v1', 'Job', 'posthorn-migrate');

function application(name: string): Promise<KubeObject> {
  const metadata = { name, namespace: 'argocd' };
  return plane.api.get({ apiVersion: 'argoproj.io/v1alpha1', kind: 'Application', metadata });
}

/**
 * @throws Error that says what the application looked like, and which program has ended, at the
 * deadline
 */
function untilApplication(
  name: string,
  is: (status: Record<string, unknown>) => boolean,
  what: string,
): Promise<KubeObject> {
  const there = async (): Promise<KubeObject> => {
    const found = await application(name);
    const { status = {} } = found;
    if (is(status)) return found;
    const { sync, health, operationState, conditions, resources } = status;
    const open = (resources as object[] | undefined)?.filter(
      (one) => at(one, 'status') !== 'Synced',
    );
    const state = [at(sync, 'status'), health, at(operationState, 'message'), conditions, open];
    const faults = [...argo.faults(), ...(plane.kwok.ended ? [plane.kwok.output] : [])];
    throw new Error([JSON.stringify(state), ...faults].join('\n'));
  };
  return waitUntil(there, { ...patience, what: `${name} ${what}` });
}

/** Waits until the cluster has the state of this commit and is healthy. */
function inForce(name: string, commit?: string): Promise<KubeObject> {
  const is = ({ sync, health, operationState }: Record<string, unknown>): boolean =>
    at(sync, 'status') === 'Synced' &&
    at(health, 'status') === 'Healthy' &&
    at(operationState, 'phase') === 'Succeeded' &&
    (commit === undefined || at(sync, 'revision') === commit);
  return untilApplication(name, is, 'is in force');
}

/**
 * Commits a state and notifies Argo CD, as the webhook of a repository does.
 *
 * @returns the commit
 */
async function rollOut(tag: string, others: object = {}): Promise<string> {
  const file = `argocd/environments/${environment}/image.yaml`;
  const made = await repository.commit(file, { image: { tag }, ...others });
  const annotations = { 'argocd.argoproj.io/refresh': 'hard' };
  await plane.api.merge(await application('posthorn'), { metadata: { annotations } });
  return made;
}

/** Waits until the sync of this commit fails with this reason and is to be retried. */
async function untilFailed(revision: string, reason: RegExp): Promise<void> {
  const failed = ({ operationState: state }: Record<string, unknown>): boolean =>
    String(at(state, 'message')).includes('Retrying attempt') &&
    at(state, 'syncResult', 'revision') === revision &&
    reason.test(JSON.stringify(at(state, 'syncResult', 'resources')));
  await untilApplication('posthorn', failed, `fails: ${reason.source}`);
}

const imageTagOf = async (of: Manifest): Promise<string | undefined> => {
  const { spec } = await plane.api.get(of);
  return String(at(spec, 'template', 'spec', 'containers', 0, 'image')).split(':')[1];
};
/** NaN if the object has none. */
const timeAt = (object: object, ...path: (string | number)[]): number =>
  Date.parse(String(at(object, ...path)));
const createdAt = (object: object): number => timeAt(object, 'metadata', 'creationTimestamp');
const waveOf = ({ metadata }: Manifest): number =>
  Number(metadata.annotations?.['argocd.argoproj.io/sync-wave'] ?? 0);

/**
 * Asserts that each wave begins once all objects of earlier waves have ended. Times are whole
 * seconds, and waves are two seconds apart.
 */
function assertInOrder(
  steps: { name: string; wave: number; begun: number; ended: number }[],
): void {
  assert.ok(new Set(steps.map(({ wave }) => wave)).size > 2);
  for (const { name, wave, begun } of steps) {
    for (const before of steps.filter((one) => one.wave < wave)) {
      const inOrder = before.begun < begun && before.ended <= begun;
      assert.ok(inOrder, `${name} (${wave}) comes after ${before.name} (${before.wave})`);
    }
  }
}

test('Argo CD deploys everything from the root application to the pods', { skip }, async () => {
  const root = rootOf(environment);
  const source = { ...(at(root, 'spec', 'source') as object), repoURL: repository.url };
  await plane.api.apply({ ...root, spec: { ...root.spec, source } });
  await inForce('root');
  const made = await applicationsOf(environment);
  const steps = [];
  for (const { kind, ...manifest } of made) {
    if (kind !== 'Application') continue;
    const { name } = manifest.metadata;
    const found = await inForce(name);
    // The objects of the first sync. Later syncs may add some.
    const ended = timeAt(found, 'status', 'history', 0, 'deployedAt');
    steps.push({ name, wave: waveOf({ kind, ...manifest }), begun: createdAt(found), ended });
  }
  assertInOrder(steps);
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
  await inForce('posthorn', await rollOut(tag));
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
  await inForce('posthorn');
  assert.equal((await plane.api.get(migration)).metadata.uid, uid);
});

test('a failed migration ends the roll-out until a commit fixes it', { skip }, async () => {
  const tag = await imageTagOf(delivery);
  const failing = await rollOut(failingTag, { migration: { backoffLimit: 0 } });
  await untilFailed(failing, /reached the specified backoff limit/);
  assert.equal(await imageTagOf(migration), failingTag);
  assert.equal(await imageTagOf(delivery), tag);
  const mended = 'decade'.padEnd(40, '0');
  await inForce('posthorn', await rollOut(mended));
  assert.equal(await imageTagOf(delivery), mended);
});

test('an object that the API server rejects stops the later waves', { skip }, async () => {
  const tag = await imageTagOf(delivery);
  const next = 'facade'.padEnd(40, '0');
  const resources = { limits: { memory: '1Mi' } };
  const refused = await rollOut(next, { migration: { resources } });
  await untilFailed(refused, /must be less than or equal to memory limit/);
  assert.equal(await imageTagOf(delivery), tag);
  await inForce('posthorn', await rollOut(next));
  assert.equal(await imageTagOf(delivery), next);
});
