import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mongod, natsServer } from '#src/embedded/program.ts';
import { testBinary } from '#testkit/servers.ts';

const INSIDE = 'TEST_OWN_NAMESPACES';
/** As root, or else as root of a user namespace, if the system allows one. */
const WAYS = [
  ['--net', '--mount'],
  ['--user', '--map-root-user', '--net', '--mount'],
];

/**
 * Whether this process has its own network and mounts, so that changes to them affect no other
 * process.
 */
export function hasOwnNamespaces(): boolean {
  return process.env[INSIDE] !== undefined;
}

/**
 * Runs this program again, with the same arguments, in its own namespaces.
 *
 * @returns its exit code; undefined if the machine does not allow namespaces
 */
export async function runInOwnNamespaces(): Promise<number | undefined> {
  const way = WAYS.find((flags) => {
    const probe = ['ip', 'link', 'set', 'lo', 'up'];
    return spawnSync('unshare', [...flags, ...probe]).status === 0;
  });
  if (way === undefined) return undefined;
  // Fetch it now: the namespace has no network.
  await testBinary(natsServer);
  await testBinary(mongod);
  const script = 'ip link set lo up && exec "$@"';
  const again = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  const child = spawn('unshare', [...way, 'sh', '-c', script, 'sh', ...again], {
    stdio: 'inherit',
    env: { ...process.env, [INSIDE]: '1' },
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));
  const [code] = (await once(child, 'exit')) as [number | null];
  return code ?? 1;
}
