/**
 * Installs the chart by Helm on six nodes in three zones, and checks scheduling, roll-outs and
 * drains.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { waitUntil } from '#testkit/wait-until.ts';
import { at, helm, type Manifest } from '../manifests.ts';
import { tools, without } from '../tools.ts';
import { clusterTools, withoutCluster } from './cluster-tools.ts';
import { type ControlPlane, startControlPlane } from './control-plane.ts';
import { KubeError, type KubeObject } from './kube-api.ts';
import { conditionOf, countByZone, makeNodes, nodeNamed, setUnreachable } from './zones.ts';

const skip = without(tools.helm) || withoutCluster(...Object.values(clusterTools));
const namespace = 'posthorn';
const replicas = { ingress: 3, router: 3, delivery: 3, control: 2 };
const roles = Object.keys(replicas) as (keyof typeof replicas)[];
/** Generous, because the machine may be busy with other work. */
const patience = { deadlineMs: 120_000, intervalMs: 200 };

let plane: ControlPlane;

before(async () => {
  if (skip !== false) return;
  plane = await startControlPlane(['ScaledObject', 'ServiceMonitor', 'PrometheusRule']);
  await makeNodes(plane.api);
  const label = 'pod-security.kubernetes.io/enforce';
  await plane.api.apply({
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: namespace, labels: { [label]: 'restricted' } },
  });
  await release('install', 'first', '--wait', '--timeout=4m');
});
after(() => plane?.stop());

async function release(
  command: 'install' | 'upgrade',
  tag: string,
  ...more: string[]
): Promise<void> {
  const place = ['--kubeconfig', plane.kubeconfig, '--namespace', namespace];
  // No autoscaler runs here, so the values set the replicas.
  for (const role of ['ingress', 'router', 'delivery']) {
    place.push(`--set=roles.${role}.autoscaling.enabled=false`);
  }
  await helm([command, 'posthorn', 'charts/posthorn', ...place, `--set=image.tag=${tag}`, ...more]);
}

function podsOf(role: string): Promise<KubeObject[]> {
  const labels = { 'app.kubernetes.io/component': role };
  return plane.api.list('v1', 'Pod', { namespace, labels });
}

function deploymentOf(role: string): Manifest {
  const metadata = { name: `posthorn-${role}`, namespace };
  return { apiVersion: 'apps/v1', kind: 'Deployment', metadata };
}

const isReady = (pod: KubeObject): boolean =>
  conditionOf(pod, 'Ready') === 'True' && pod.metadata.deletionTimestamp === undefined;
const isDone = (pod: KubeObject): boolean => pod.status?.['phase'] === 'Succeeded';
const tagOf = (pod: KubeObject): string =>
  String(at(pod, 'spec', 'containers', 0, 'image')).split(':')[1] ?? '';
const isForbidden = (error: unknown): boolean =>
  error instanceof KubeError && error.statusCode === 429;

function unlessForbidden(error: unknown): void {
  if (!isForbidden(error)) throw error;
}

/** Waits until a role has this number of pods and all are ready, and returns them. */
function settled(role: string, count: number): Promise<KubeObject[]> {
  const ready = async (): Promise<KubeObject[] | false> => {
    const pods = await podsOf(role);
    return pods.length === count && pods.every(isReady) && pods;
  };
  return waitUntil(ready, { ...patience, what: `${role} has ${count} pods, all ready` });
}

const skew = (counts: number[]): number => Math.max(...counts) - Math.min(...counts);

test(
  'the migration has run and each role spans the zones when the chart is installed',
  { skip },
  async () => {
    const metadata = { name: 'posthorn-migrate', namespace };
    const job = await plane.api.get({ apiVersion: 'batch/v1', kind: 'Job', metadata });
    assert.equal(conditionOf(job, 'Complete'), 'True');
    for (const role of roles) {
      const counts = countByZone(await settled(role, replicas[role]));
      assert.ok(skew(counts) <= 1, `${role}: ${counts.join('/')}`);
    }
  },
);

test('all pods of a scale-up are scheduled while a zone is unreachable', { skip }, async () => {
  await setUnreachable(plane.api, 'c', true);
  await plane.api.merge(deploymentOf('delivery'), { spec: { replicas: 10 } });
  const [a, b, c] = countByZone(await settled('delivery', 10));
  assert.equal(c, 1, 'only the one that was there');
  assert.equal(Math.abs((a ?? 0) - (b ?? 0)) <= 1, true, `${a}/${b}/${c}`);
  await setUnreachable(plane.api, 'c', false);
  await plane.api.merge(deploymentOf('delivery'), { spec: { replicas: 3 } });
  await settled('delivery', 3);
});

test('a roll-out removes no pod before its replacement is ready', { skip }, async () => {
  const before = await settled('router', 3);
  await plane.kwok.kill('SIGSTOP');
  try {
    // Disables the migration, because its pod would never end here.
    await release('upgrade', 'second', '--no-hooks');
    const added = async (): Promise<boolean> => (await podsOf('router')).length > before.length;
    await waitUntil(added, { ...patience, what: 'a pod of the new version' });
    const pods = await podsOf('router');
    assert.deepEqual(pods.map(tagOf).toSorted(), ['first', 'first', 'first', 'second']);
    assert.equal(pods.filter(isReady).length, 3);
  } finally {
    await plane.kwok.kill('SIGCONT');
  }
  for (const role of roles) {
    const renewed = async (): Promise<KubeObject[] | false> => {
      const pods = await settled(role, replicas[role]);
      return pods.every((pod) => tagOf(pod) === 'second') && pods;
    };
    const pods = await waitUntil(renewed, { ...patience, what: `${role} is of the new version` });
    const counts = countByZone(pods);
    assert.ok(skew(counts) <= 1, `${role}: ${counts.join('/')}`);
  }
});

test('a disruption budget allows one pod of a role to be evicted at a time', { skip }, async () => {
  const [first, second] = await settled('ingress', 3);
  assert.ok(first && second);
  await plane.kwok.kill('SIGSTOP');
  try {
    await plane.api.evict(first);
    await assert.rejects(plane.api.evict(second), isForbidden);
  } finally {
    await plane.kwok.kill('SIGCONT');
  }
  await settled('ingress', 3);
});

test('the pods of a drained node run on other nodes', { skip }, async () => {
  // The scheduler chooses the nodes of the pods.
  const [pod] = await settled('ingress', 3);
  assert.ok(pod);
  const node = String(at(pod, 'spec', 'nodeName'));
  const onNode = async (): Promise<KubeObject[]> => {
    const pods = await plane.api.list('v1', 'Pod', { namespace });
    return pods.filter((pod) => at(pod, 'spec', 'nodeName') === node && !isDone(pod));
  };
  await plane.api.merge(nodeNamed(node), { spec: { unschedulable: true } });
  const drained = async (): Promise<boolean> => {
    const pods = await onNode();
    for (const pod of pods) await plane.api.evict(pod).catch(unlessForbidden);
    return pods.length === 0;
  };
  await waitUntil(drained, { ...patience, what: `${node} is empty` });
  for (const role of roles) await settled(role, replicas[role]);
  await plane.api.merge(nodeNamed(node), { spec: { unschedulable: false } });
});
