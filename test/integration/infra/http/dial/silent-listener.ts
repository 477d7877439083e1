import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type Socket, connect } from 'node:net';
import { createInterface } from 'node:readline';
import { untilStopped } from '#testkit/processes/pause-process.ts';
import type { TestContext } from 'node:test';

/** Answers 204 to every request, listens with the shortest backlog, and prints its port. */
const PROGRAM = `
const { createServer } = require('node:http');
const [port, ...addresses] = process.argv.slice(1);
let at = Number(port);
(async () => {
  for (const host of addresses) {
    const server = createServer((request, response) => response.writeHead(204).end());
    await new Promise((listening) => server.listen({ port: at, host, backlog: 1 }, listening));
    at = server.address().port;
  }
  console.log(at);
})();
`;

/** With `backlog: 1` the kernel completes this many connections and then drops every SYN. */
const BACKLOG_FILLED_BY = 2;

/** Addresses with incomplete TCP handshakes: the process is stopped, and its backlog is full. */
export interface SilentListener {
  port: number;
  /** Accepts from now on. The kernel retransmits a dropped SYN after a second. */
  resume: () => void;
}

/** @param options.port the port to listen on; absent: any */
export async function startSilentListener(
  t: TestContext,
  addresses: string[],
  options: { port?: number } = {},
): Promise<SilentListener> {
  const child = spawn(process.execPath, ['-e', PROGRAM, String(options.port ?? 0), ...addresses], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
  const port = Number(line);
  child.kill('SIGSTOP');
  await untilStopped(child.pid as number);
  for (const host of addresses) {
    for (let n = 0; n < BACKLOG_FILLED_BY; n++) {
      const filler: Socket = connect(port, host);
      filler.on('error', () => undefined);
      t.after(() => void filler.destroy());
      await once(filler, 'connect');
    }
  }
  return { port, resume: () => void child.kill('SIGCONT') };
}

const SYN_SENT = '02';

/** The addresses to which this machine is connecting on a port, one for each connection. */
export function dialling(port: number): string[] {
  const found: string[] = [];
  for (const line of readFileSync('/proc/net/tcp', 'utf8').split('\n').slice(1)) {
    const [, , remote, state] = line.trim().split(/\s+/);
    const [address = '', remotePort = ''] = remote?.split(':') ?? [];
    if (state !== SYN_SENT || Number.parseInt(remotePort, 16) !== port) continue;
    // The four bytes of the address in the machine's byte order, little-endian.
    found.push(
      (address.match(/../g) ?? [])
        .toReversed()
        .map((byte) => Number.parseInt(byte, 16))
        .join('.'),
    );
  }
  return found;
}
