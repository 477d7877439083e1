import type { Role } from '#config/schema.ts';
import type { SystemProcess } from '#testkit/system.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import type { Arena } from '../../fault.ts';

/**
 * Chooses the process that a fault strikes: the router or worker that owns shard 0, since another
 * one may own no shard.
 */
export function chooseProcess({ system, census }: Arena, role: Role): Promise<SystemProcess> {
  if (role !== 'delivery' && role !== 'router') return Promise.resolve(system.with(role));
  return waitUntil(
    async () => {
      const owner = await census.ownerOf(role, 0);
      return system.processes.find(({ process }) => process.pid === owner);
    },
    { what: `a ${role} that owns shard 0` },
  );
}
