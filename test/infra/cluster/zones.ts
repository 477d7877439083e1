import { waitUntil } from '#testkit/wait-until.ts';
import { at, type Manifest } from '../manifests.ts';
import type { KubeApi, KubeObject } from './kube-api.ts';

export const zones = ['a', 'b', 'c'] as const;
const ZONE = 'topology.kubernetes.io/zone';
const NODES_IN_A_ZONE = 2;

export interface Pool {
  /** The label by which charts choose the nodes. */
  name: string;
  nodesInAZone: number;
  cpu: string;
  memory: string;
  /** Whether the nodes have a taint of the same name. */
  dedicated?: boolean;
}

/** Six nodes in three zones, with the label of the workers in the cloud program. */
const workers: Pool = { name: 'worker', nodesInAZone: NODES_IN_A_ZONE, cpu: '8', memory: '32Gi' };
/** The label and the taint of nodes in the cloud program. */
const POOL = 'posthorn.dev/pool';

/** Creates the nodes of each pool in three zones: `a-1`, and `a-nats-1` in pools with others. */
export async function makeNodes(api: KubeApi, pools: Pool[] = [workers]): Promise<void> {
  for (const pool of pools) {
    const { name: of, cpu, memory, dedicated = false } = pool;
    const size = { cpu, memory, pods: '110' };
    for (const zone of zones) {
      for (let number = 1; number <= pool.nodesInAZone; number++) {
        const name = [zone, ...(pools.length > 1 ? [of] : []), number].join('-');
        const labels = {
          [ZONE]: zone,
          'kubernetes.io/hostname': name,
          'kubernetes.io/os': 'linux',
          [POOL]: of,
        };
        const spec = dedicated ? { taints: [{ key: POOL, value: of, effect: 'NoSchedule' }] } : {};
        await api.apply({ apiVersion: 'v1', kind: 'Node', metadata: { name, labels }, spec });
        const status = { capacity: size, allocatable: size };
        await api.call(`/api/v1/nodes/${name}/status`, {
          method: 'PATCH',
          body: { status },
          contentType: 'application/merge-patch+json',
        });
      }
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

export const zoneOfNode = (name: string): string => name.slice(0, name.indexOf('-'));

export function zoneOf(pod: KubeObject): string | undefined {
  const node = at(pod, 'spec', 'nodeName') as string | undefined;
  return node === undefined ? undefined : zoneOfNode(node);
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
