import type { System } from '#testkit/system.ts';

/** The resources that the processes of the system hold in total. */
export interface Holdings {
  memoryMebibytes: number;
  /** Open files, most of them sockets. */
  files: number;
}

/** Adds up the metrics of every process, read from its private port. */
export async function countHoldings({ processes }: System): Promise<Holdings> {
  const texts = await Promise.all(
    processes.map(async ({ opsUrl }) => (await fetch(`${opsUrl}/metrics`)).text()),
  );
  const sum = (metric: string): number =>
    texts.reduce((total, text) => {
      const [, value] = new RegExp(`^${metric} (\\S+)$`, 'm').exec(text) ?? [];
      return total + Number(value);
    }, 0);
  const memoryMebibytes = Math.round(sum('process_resident_memory_bytes') / 2 ** 20);
  return { memoryMebibytes, files: sum('process_open_fds') };
}
