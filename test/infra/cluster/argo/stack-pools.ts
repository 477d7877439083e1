import { readSettings } from '../../../../pulumi/src/config.ts';
import { podCapacity } from '../../../../pulumi/src/node-capacity.ts';
import { EXAMPLE_OWNER, readStackFile } from '../../../../pulumi/stack-file.ts';
import { type Pool, zones } from '../zones.ts';

/**
 * The nodes that the cloud program creates for an environment, at the smallest number of workers.
 * A worker has the type with the least memory, as a group may start any of its types.
 */
export function poolsOf(environment: string): Pool[] {
  const settings = readSettings({ ...readStackFile(environment), ...EXAMPLE_OWNER });
  const pool = (name: string, types: readonly string[], nodesInAZone: number): Pool => {
    const [least] = types.map(podCapacity).toSorted((a, b) => a.memoryMib - b.memoryMib);
    if (least === undefined) throw new Error(`${name} has no instance type`);
    const size = { cpu: `${least.milliCpu}m`, memory: `${least.memoryMib}Mi` };
    return { name, nodesInAZone, ...size };
  };
  const { systemInstanceType, natsInstanceType, workerInstanceTypes, workerNodesMin } = settings;
  return [
    pool('system', [systemInstanceType], 1),
    { ...pool('nats', [natsInstanceType], 1), dedicated: true },
    pool('worker', workerInstanceTypes, Math.ceil(workerNodesMin / zones.length)),
  ];
}
