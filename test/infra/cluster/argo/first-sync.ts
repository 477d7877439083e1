/** Assertions about the first synchronization of an environment, from empty. */
import assert from 'node:assert/strict';
import { applicationsOf } from '../../argocd/environments.ts';
import { at, type Manifest } from '../../manifests.ts';
import type { KubeObject } from '../kube-api.ts';
import { countByZone } from '../zones.ts';
import type { Installation } from './installation.ts';
import { simulatedKinds } from './operator-stages.ts';
import { imagesOf } from './stand-in-charts.ts';

/** Kinds with a health whose controllers run in the checks. */
const controlledKinds = [
  'DaemonSet',
  'Deployment',
  'Job',
  'PodDisruptionBudget',
  'Service',
  'StatefulSet',
];
/** Kinds without a health: they need only exist. */
const passiveKinds = [
  'ConfigMap',
  'IngressClass',
  'Namespace',
  'NetworkPolicy',
  'PodMonitor',
  'PrometheusRule',
  'Secret',
  'ServiceAccount',
  'ServiceMonitor',
  'StorageClass',
];

/** NaN if the object has none. */
export const timeAt = (object: object, ...path: (string | number)[]): number =>
  Date.parse(String(at(object, ...path)));
export const createdAt = (object: object): number =>
  timeAt(object, 'metadata', 'creationTimestamp');
export const waveOf = ({ metadata }: Manifest): number =>
  Number(metadata.annotations?.['argocd.argoproj.io/sync-wave'] ?? 0);

interface Step {
  name: string;
  wave: number;
  begun: number;
  ended: number;
}

/**
 * Asserts that each wave begins once all objects of earlier waves have ended. Times are whole
 * seconds, and waves are two seconds apart.
 */
export function assertInOrder(steps: Step[]): void {
  assert.ok(new Set(steps.map(({ wave }) => wave)).size > 2);
  for (const { name, wave, begun } of steps) {
    for (const before of steps.filter((one) => one.wave < wave)) {
      const inOrder = before.begun < begun && before.ended <= begun;
      assert.ok(inOrder, `${name} (${wave}) comes after ${before.name} (${before.wave})`);
    }
  }
}

/**
 * Waits until every application is synchronized and healthy, and asserts the order of the waves,
 * the kinds, the images, the volumes and the nodes of the pods.
 */
export async function assertFirstSync(installation: Installation): Promise<void> {
  await installation.inForce('root');
  const applications = (await applicationsOf(installation.environment)).filter(
    ({ kind }) => kind === 'Application',
  );
  const found: KubeObject[] = [];
  for (const { metadata } of applications) found.push(await installation.inForce(metadata.name));
  // The objects of the first sync. Later syncs may add some.
  const ended = (one: KubeObject): number => timeAt(one, 'status', 'history', 0, 'deployedAt');
  assertInOrder(
    found.map((one) => ({
      name: one.metadata.name,
      wave: waveOf(one),
      begun: createdAt(one),
      ended: ended(one),
    })),
  );
  const pods = await installation.plane.api.list('v1', 'Pod');
  assertKinds(found, pods);
  assertImages(found, pods);
  await assertVolumes(installation);
  assertNodes(pods);
}

/**
 * Asserts that each kind is controlled, simulated or passive: no health is taken for granted.
 * Argo CD also lists the pod of `helm test`, which it does not create.
 */
function assertKinds(applications: KubeObject[], pods: KubeObject[]): void {
  const created = new Set(pods.map(({ metadata }) => metadata.name));
  const known = new Set<string>([...controlledKinds, ...simulatedKinds, ...passiveKinds]);
  const unknown = applications.flatMap(({ metadata, status }) =>
    (at(status, 'resources') as { kind: string; name: string }[])
      .filter(({ kind, name }) => !known.has(kind) && (kind !== 'Pod' || created.has(name)))
      .map(({ kind, name }) => `${metadata.name}: ${kind} ${name}`),
  );
  assert.deepEqual(unknown, []);
}

/** Asserts that the pods run the images of the charts' versions. */
function assertImages(applications: KubeObject[], pods: KubeObject[]): void {
  const running = new Set(
    pods.flatMap((pod) =>
      (at(pod, 'spec', 'containers') as object[]).map((one) => String(at(one, 'image'))),
    ),
  );
  const missing = applications.flatMap(({ spec }) => {
    const sources = (at(spec, 'sources') ?? [at(spec, 'source')]) as object[];
    return sources.flatMap((source) => {
      const chart = at(source, 'chart') as string | undefined;
      if (chart === undefined) return [];
      return Object.entries(imagesOf(chart, String(at(source, 'targetRevision'))))
        .filter(([name, image]) => !startedByOthers.has(name) && !running.has(image))
        .map(([, image]) => image);
    });
  });
  assert.deepEqual(missing, []);
}

/** Images that no workload of a chart runs, or whose pods end early. */
const startedByOthers = new Set([
  'cert-manager-acmesolver',
  'cert-manager-startupapicheck',
  'haproxy',
  'kube-webhook-certgen',
]);

/** Asserts that every claim has a volume of the storage class of the foundation. */
async function assertVolumes({ plane }: Installation): Promise<void> {
  const claims = await plane.api.list('v1', 'PersistentVolumeClaim');
  const bound = claims.filter(({ status }) => status?.['phase'] === 'Bound');
  const namesOf = (list: KubeObject[]): string[] =>
    list.map(({ metadata }) => metadata.name).toSorted();
  assert.deepEqual(namesOf(bound), namesOf(claims));
  assert.deepEqual(
    namesOf(claims),
    [0, 1, 2]
      .map((number) => `data-nats-${number}`)
      .concat([0, 1].map((number) => `data-prometheus-kube-prometheus-stack-prometheus-${number}`)),
  );
  for (const claim of claims) assert.equal(at(claim, 'spec', 'storageClassName'), 'gp3');
}

/** Asserts that each broker has its own node pool and zone, and Posthorn the workers. */
function assertNodes(pods: KubeObject[]): void {
  const ofNamespace = (namespace: string): KubeObject[] =>
    pods.filter(({ metadata }) => metadata.namespace === namespace);
  const brokers = ofNamespace('nats');
  assert.deepEqual(countByZone(brokers), [1, 1, 1]);
  for (const pod of brokers) assert.match(String(at(pod, 'spec', 'nodeName')), /^\w-nats-/);
  const ours = ofNamespace('posthorn');
  assert.ok(ours.length >= 4);
  for (const pod of ours) assert.match(String(at(pod, 'spec', 'nodeName')), /^\w-worker-/);
}
