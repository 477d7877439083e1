/**
 * Checks that the pods of an environment fit on the nodes that the cloud program creates for it.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse } from 'yaml';
import { type Settings, readSettings } from '../../../pulumi/src/config.ts';
import { type Capacity, podCapacity } from '../../../pulumi/src/node-capacity.ts';
import {
  EXAMPLE_OWNER,
  EXAMPLE_RECOVERY,
  readStackFile,
  stacks,
} from '../../../pulumi/stack-file.ts';
import { projectText } from '../../docs/project-files.ts';
import { at, type Manifest, podTemplates } from '../manifests.ts';
import { tools, without } from '../tools.ts';
import { posthornOf } from './environments.ts';

const skip = without(tools.helm);

const MIB: Readonly<Record<string, number>> = { Mi: 1, Gi: 1024 };

type Quantity = string | number | undefined;

function milliCpu(quantity: Quantity): number {
  const text = String(quantity ?? 0);
  return text.endsWith('m') ? Number(text.slice(0, -1)) : Number(text) * 1000;
}

function memoryMib(quantity: Quantity): number {
  if (quantity === undefined) return 0;
  const text = String(quantity);
  const unit = MIB[text.slice(-2)];
  assert.ok(unit !== undefined, `${text} is in Mi or Gi`);
  return Number(text.slice(0, -2)) * unit;
}

const sum = (capacities: Capacity[]): Capacity => ({
  milliCpu: capacities.reduce((all, one) => all + one.milliCpu, 0),
  memoryMib: capacities.reduce((all, one) => all + one.memoryMib, 0),
});

const requestOf = (resources: unknown): Capacity => ({
  milliCpu: milliCpu(at(resources, 'requests', 'cpu') as Quantity),
  memoryMib: memoryMib(at(resources, 'requests', 'memory') as Quantity),
});

const ofPod = (pod: object): Capacity =>
  sum((at(pod, 'containers') as object[]).map((one) => requestOf(at(one, 'resources'))));

function assertFits(what: string, requested: Capacity, room: Capacity): void {
  assert.ok(
    requested.milliCpu <= room.milliCpu,
    `${what}: ${requested.milliCpu}m of ${room.milliCpu}m CPU`,
  );
  assert.ok(
    requested.memoryMib <= room.memoryMib,
    `${what}: ${requested.memoryMib}Mi of ${room.memoryMib}Mi memory`,
  );
}

/** Merges a later values file over an earlier one, as Helm does. */
function merged(base: unknown, over: unknown): unknown {
  if (typeof base !== 'object' || typeof over !== 'object' || base === null || over === null) {
    return over ?? base;
  }
  const keys = new Set([...Object.keys(base), ...Object.keys(over)]);
  return Object.fromEntries([...keys].map((key) => [key, merged(at(base, key), at(over, key))]));
}

function settingsOf(stack: string): Settings {
  const file = readStackFile(stack);
  const recovery = file['posthorn:site'] === 'recovery' ? EXAMPLE_RECOVERY : {};
  return readSettings({ ...file, ...EXAMPLE_OWNER, ...recovery });
}

/** The minimum and maximum number of pods of a workload. */
function replicasOf(manifests: Manifest[], name: string, spec: unknown): [number, number] {
  const scaler = manifests.find(
    ({ kind, spec: own }) =>
      ['HorizontalPodAutoscaler', 'ScaledObject'].includes(kind) &&
      at(own, 'scaleTargetRef', 'name') === name,
  );
  const fixed = Number(at(spec, 'replicas') ?? 1);
  const least = at(scaler?.spec, 'minReplicas') ?? at(scaler?.spec, 'minReplicaCount') ?? fixed;
  const most = at(scaler?.spec, 'maxReplicas') ?? at(scaler?.spec, 'maxReplicaCount') ?? fixed;
  return [Number(least), Number(most)];
}

const times = ({ milliCpu: cpu, memoryMib: memory }: Capacity, count: number): Capacity => ({
  milliCpu: cpu * count,
  memoryMib: memory * count,
});

for (const stack of stacks) {
  const settings = settingsOf(stack);
  const { environment } = settings;

  test(`${stack}: a broker fits on a node of ${settings.natsInstanceType}`, () => {
    const values = merged(
      parse(projectText('charts/nats/values.yaml')),
      parse(projectText(`argocd/environments/${environment}/nats.yaml`)),
    );
    const containers = ['container', 'reloader', 'promExporter'];
    const requests = containers.map((name) => requestOf(at(values, name, 'merge', 'resources')));
    assertFits('broker', sum(requests), podCapacity(settings.natsInstanceType));
    // Without this variable Go does not know the memory limit of the container.
    const limits = at(values, 'container', 'merge', 'resources', 'limits');
    const limit = at(limits, 'memory') as Quantity;
    const goLimit = Number.parseInt(String(at(values, 'container', 'env', 'GOMEMLIMIT')), 10);
    assert.ok(goLimit <= memoryMib(limit) * 0.8, `GOMEMLIMIT ${goLimit}MiB of ${String(limit)}`);
  });

  test(
    `${stack}: each pod of Posthorn fits on each worker, and all fit on all`,
    { skip },
    async () => {
      const manifests = await posthornOf(environment);
      const rooms = settings.workerInstanceTypes.map(podCapacity);
      const smallest = rooms.reduce((one, other) =>
        one.memoryMib < other.memoryMib ? one : other,
      );
      const [least, most]: [Capacity[], Capacity[]] = [[], []];
      for (const { kind, name, pod } of podTemplates(manifests)) {
        for (const room of rooms) assertFits(name, ofPod(pod), room);
        if (kind === 'Job') continue;
        const { spec } =
          manifests.find((one) => one.kind === kind && one.metadata.name === name) ?? {};
        const [min, max] = replicasOf(manifests, name, spec);
        least.push(times(ofPod(pod), min));
        most.push(times(ofPod(pod), max));
      }
      assert.ok(least.length >= 4);
      const nodes = Math.max(settings.workerNodesMin, 3);
      assertFits('all pods at their minimum', sum(least), times(smallest, nodes));
      assertFits('all pods at their maximum', sum(most), times(smallest, settings.workerNodesMax));
    },
  );
}
