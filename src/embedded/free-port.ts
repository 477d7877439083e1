import { randomInt } from 'node:crypto';
import { type Socket, createSocket } from 'node:dgram';
import { type AddressInfo, connect, createServer } from 'node:net';

const LOCAL = '127.0.0.1';
/**
 * Below the range of ephemeral ports, from which systems choose ports of outgoing connections
 * (Linux: 32768 and up).
 */
const RANGE = { first: 15_000, last: 32_000 };
const TRIES_MAX = 100;
const LOOPBACK_MS_MAX = 5000;

/**
 * Finds a TCP port of 127.0.0.1 that is free now. The port is outside the range of ephemeral ports:
 * the system soon reuses a port that it chose itself. While this process lives, this function
 * returns the port only once, in all processes.
 *
 * @param range ports from `first` up to the one before `last`
 * @throws Error if there is none
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
 * Binds the UDP port of the same number, which is otherwise unused. It marks the TCP port as given
 * out, even while no process listens on it.
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
 * @returns the error code of the system (`EADDRINUSE`, `EADDRNOTAVAIL`, …), or undefined if it
 * worked
 */
export function listenFault(port: number, host: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', ({ code, message }: NodeJS.ErrnoException) => resolve(code ?? message));
    probe.listen({ port, host, exclusive: true }, () => probe.close(() => resolve(undefined)));
  });
}

/**
 * Connects to its own listener on 127.0.0.1: an address may accept a listener while its
 * interface is down.
 *
 * @returns the error code of the system, or undefined if it worked
 */
export function loopbackFault(): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer((socket) => socket.destroy());
    const end = ({ code, message }: Partial<NodeJS.ErrnoException> = {}): void => {
      server.close(() => resolve(code ?? message));
    };
    server.once('error', ({ code, message }: NodeJS.ErrnoException) => resolve(code ?? message));
    server.listen({ port: 0, host: LOCAL, exclusive: true }, () => {
      const socket = connect({
        port: (server.address() as AddressInfo).port,
        host: LOCAL,
        timeout: LOOPBACK_MS_MAX,
      });
      socket.once('connect', () => {
        socket.destroy();
        end();
      });
      socket.once('timeout', () => {
        socket.destroy();
        end({ code: 'ETIMEDOUT' });
      });
      socket.once('error', end);
    });
  });
}
