/** The CPU (thousandths of a core) and memory (MiB) that pods of a node may request together. */
export interface Capacity {
  milliCpu: number;
  memoryMib: number;
}

/** vCPUs and GiB of memory, from https://aws.amazon.com/ec2/instance-types/. */
const INSTANCE_TYPES: Readonly<Record<string, readonly [cpus: number, memoryGib: number]>> = {
  't4g.medium': [2, 4],
  't4g.large': [2, 8],
  'm6g.large': [2, 8],
  'm7g.large': [2, 8],
  'm8g.large': [2, 8],
  'm8g.xlarge': [4, 16],
  'c7g.large': [2, 4],
  'c8g.large': [2, 4],
  'c7g.xlarge': [4, 8],
  'c8g.xlarge': [4, 8],
  'r8g.large': [2, 16],
};

/** Share of the memory that the hypervisor and the kernel take: the estimate of Karpenter. */
const OVERHEAD = 0.075;
/** With prefix delegation, EKS gives nodes of up to 30 vCPUs this many pods. */
const MAX_PODS = 110;
/** The threshold at which the kubelet evicts pods, by default. */
const EVICTION_MIB = 100;

/**
 * Requests of the DaemonSets of EKS on each node: aws-node with its policy agent 50m, kube-proxy
 * 100m, and three containers of the driver of EBS with 10m and 40 MiB each.
 */
const DAEMON_SETS: Capacity = { milliCpu: 180, memoryMib: 120 };

/** Bottlerocket reserves 6 % of the first core, 1 % of the second, and 0.5 % of the next two. */
function reservedMilliCpu(cpus: number): number {
  const [first, second, third, fourth, rest] = [60, 10, 5, 5, 2.5];
  const steps = [first, second, third, fourth];
  return Array.from({ length: cpus }, (_, core) => steps[core] ?? rest).reduce(
    (sum, share) => sum + share,
    0,
  );
}

/** @throws Error for a type that is not in the table */
export function vcpusOf(instanceType: string): number {
  const [cpus] = INSTANCE_TYPES[instanceType] ?? [];
  if (cpus === undefined) throw new Error(`node-capacity.ts has no ${instanceType}`);
  return cpus;
}

/**
 * The capacity of a node for pods, without the DaemonSets. Bottlerocket reserves 255 MiB, and
 * 11 MiB for each possible pod:
 * https://github.com/bottlerocket-os/bottlerocket, settings.kubernetes.kube-reserved.
 *
 * @throws Error for a type that is not in the table
 */
export function podCapacity(instanceType: string): Capacity {
  const cpus = vcpusOf(instanceType);
  const [, memoryGib = 0] = INSTANCE_TYPES[instanceType] ?? [];
  const reservedMib = 255 + 11 * MAX_PODS + EVICTION_MIB + DAEMON_SETS.memoryMib;
  return {
    milliCpu: Math.floor(cpus * 1000 - reservedMilliCpu(cpus) - DAEMON_SETS.milliCpu),
    memoryMib: Math.floor(memoryGib * 1024 * (1 - OVERHEAD) - reservedMib),
  };
}
