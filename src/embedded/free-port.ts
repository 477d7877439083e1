import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/** Below the range from which systems take the ports of outgoing connections (Linux: 32768 and up). */
const RANGE = { first: 15_000, last: 32_000 };
const TRIES_MAX = 100;

/**
 * A TCP port of 127.0.0.1 that is free at this moment. Drawn from a range that the system gives to nobody by
 * itself, so that it is not given away before it is used: a port that the system chose is soon chosen again.
 *
 * @throws Error where none is found
 */
export async function findFreePort(): Promise<number> {
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const port = randomInt(RANGE.first, RANGE.last);
    if (await isPortFree(port, '127.0.0.1')) return port;
  }
  throw new Error(`no free port found from ${RANGE.first} to ${RANGE.last}`);
}

/** Whether somebody can listen on this address now. */
export function isPortFree(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen({ port, host, exclusive: true }, () => probe.close(() => resolve(true)));
  });
}
