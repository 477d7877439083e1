import { waitUntil } from '#testkit/wait-until.ts';
import { at, type Manifest } from '../manifests.ts';
import type { KubeApi, KubeObject } from './kube-api.ts';

export const zones = ['a', 'b', 'c'] as const;
const ZONE = 'topology.kubernetes.io/zone';
const NODES_IN_A_ZONE = 2;

/** Six nodes in three zones, with the size and label of the workers in the cloud program. */
export async function makeNodes(api: KubeApi): Promise<void> {
  const size = { cpu: '8', memory: '32Gi', pods: '110' };
  for (const zone of zones) {
    for (let number = 1; number <= NODES_IN_A_ZONE; number++) {
      const name = `${zone}-${number}`;
      const labels = {
        [ZONE]: zone,
        'kubernetes.io/hostname': name,
        'kubernetes.io/os': 'linux',
        'posthorn.dev/pool': 'worker',
      };
      const node = { apiVersion: 'v1', kind: 'Node', metadata: { name, labels } };
      await api.apply(node);
      const status = { capacity: size, allocatable: size };
      await api.call(`/api/v1/nodes/${name}/status`, {
        method: 'PATCH',
        body: { status },
        contentType: 'application/merge-patch+json',
      });
    }
  }
  const ready = async (): Promise<boolean> =>
    (await api.list('v1', 'Node')).every((node) => conditionOf(node, 'Ready') === 'True');
  await waitUntil(ready, { what: 'all nodes are ready', deadlineMs: 60_000, intervalMs: 100 });
}

/** Returns `True`, `False`, `Unknown`, or undefined if the node has no condition of this type. */
export function conditionOf(object: KubeObject, type: string): string | undefined {
  const conditions = (object.status?.['conditions'] ?? []) as { type: string; status: string }[];
  return conditions.find((condition) => condition.type === type)?.status;
}

export function zoneOf(pod: KubeObject): string | undefined {
  const node = at(pod, 'spec', 'nodeName') as string | undefined;
  return node?.split('-')[0];
}

/** Counts the pods of each zone, in the order of the zones. Unscheduled pods are not counted. */
export function countByZone(pods: KubeObject[]): number[] {
  return zones.map((zone) => pods.filter((pod) => zoneOf(pod) === zone).length);
}

/** Marks nodes as the cluster does when they stop reporting. */
export async function setUnreachable(api: KubeApi, zone: string, down: boolean): Promise<void> {
  const taint = { key: 'node.kubernetes.io/unreachable', effect: 'NoSchedule' };
  for (let number = 1; number <= NODES_IN_A_ZONE; number++) {
    await api.merge(nodeNamed(`${zone}-${number}`), { spec: { taints: down ? [taint] : null } });
  }
}

export function nodeNamed(name: string): Manifest {
  return { apiVersion: 'v1', kind: 'Node', metadata: { name } };
}
