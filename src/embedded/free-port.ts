import { randomInt } from 'node:crypto';
import { type Socket, createSocket } from 'node:dgram';
import { createServer } from 'node:net';

const LOCAL = '127.0.0.1';
/** Below the range from which systems take the ports of outgoing connections (Linux: 32768 and up). */
const RANGE = { first: 15_000, last: 32_000 };
const TRIES_MAX = 100;

/**
 * A TCP port of 127.0.0.1 that is free at this moment. Drawn from a range that the system gives to nobody by
 * itself, so that it is not given away before it is used: a port that the system chose is soon chosen again. Nor does
 * this function give it again, here or in another process, while this process lives.
 *
 * @param range ports from `first` up to the one before `last`
 * @throws Error where none is found
 */
export async function findFreePort(range = RANGE): Promise<number> {
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const port = randomInt(range.first, range.last);
    const held = await hold(port);
    if (held === undefined) continue;
    if (await isPortFree(port, LOCAL)) return port;
    held.close();
  }
  throw new Error(`no free port found from ${range.first} to ${range.last}`);
}

/**
 * Takes the UDP port of the same number, which nobody needs: it is the sign that the other one was given away, though
 * nobody listens there yet, or not at this moment.
 */
function hold(port: number): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    socket.once('error', () => {
      socket.close();
      resolve(undefined);
    });
    socket.bind({ port, address: LOCAL, exclusive: true }, () => resolve(socket.unref()));
  });
}

/** Whether a process can listen on this address now. */
export async function isPortFree(port: number, host: string): Promise<boolean> {
  return (await listenFault(port, host)) === undefined;
}

/**
 * Listens on an address for a moment.
 *
 * @returns the error code of the system (`EADDRINUSE`, `EADDRNOTAVAIL`, …), or undefined where it worked
 */
export function listenFault(port: number, host: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', ({ code, message }: NodeJS.ErrnoException) => resolve(code ?? message));
    probe.listen({ port, host, exclusive: true }, () => probe.close(() => resolve(undefined)));
  });
}
