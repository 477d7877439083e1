import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { findFreePort } from './free-port.ts';
import { becomePrimary, waitUntilListening } from './mongod-replica-set.ts';
import { type EmbeddedServer, ServerProcess } from './server-process.ts';
import { endStaleServer } from './stale-server.ts';

/** After a crash, mongod applies its journal and oplog before it answers. */
const READY_DEADLINE_MS = 600_000;
const PORT_TRIES = 5;

export interface MongodOptions {
  /** Path of the `mongod` program. */
  binary: string;
  /** Folder of the data; created if missing. */
  dataDir: string;
  /** Absent: any free port. It may differ from the port of an earlier start. */
  port?: number;
  /**
   * One member of several: only wait until it answers. The caller creates the set (`initiateSet`).
   */
  ofSeveral?: boolean;
}

/**
 * Runs a mongod on 127.0.0.1 as a replica set of one member (change streams and transactions need
 * one) and waits until it is primary.
 *
 * @throws Error with the server's last lines if it does not start
 */
export async function startMongod(options: MongodOptions): Promise<EmbeddedServer> {
  const dataDir = resolve(options.dataDir);
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  await endStaleServer({ pidFile: join(dataDir, 'mongod.lock'), program: 'mongod', dataDir });
  for (let tried = 1; ; tried++) {
    const port = options.port ?? (await findFreePort());
    const server = await ServerProcess.spawn({
      name: 'mongod',
      binary: options.binary,
      args: mongodArguments(dataDir, port),
    });
    try {
      await waitUntilReady(server, port, options.ofSeveral === true);
      return describe(server, port);
    } catch (error) {
      await server.stop();
      // Another process bound the port between the search and the start.
      const portLost =
        options.port === undefined && server.output.includes('Address already in use');
      if (!portLost || tried === PORT_TRIES) throw error;
    }
  }
}

function mongodArguments(dataDir: string, port: number): string[] {
  const parameters = [
    'diagnosticDataCollectionEnabled=false',
    // There is no other member to hand over to, so skip the wait of 15 s when stopping.
    'shutdownTimeoutMillisForSignaledShutdown=100',
  ];
  return [
    ['--dbpath', dataDir],
    ['--port', String(port)],
    ['--bind_ip', '127.0.0.1'],
    ['--replSet', 'posthorn'],
    ['--wiredTigerCacheSizeGB', '0.5'],
    ['--oplogSize', '1024'],
    ['--nounixsocket'],
    ['--quiet'],
    ...parameters.map((parameter) => ['--setParameter', parameter]),
  ].flat();
}

async function waitUntilReady(
  server: ServerProcess,
  port: number,
  ofSeveral: boolean,
): Promise<void> {
  const abort = new AbortController();
  server.onExit(() => abort.abort());
  const deadline = AbortSignal.timeout(READY_DEADLINE_MS);
  try {
    const signal = AbortSignal.any([abort.signal, deadline]);
    if (ofSeveral) await waitUntilListening(port, signal);
    else await becomePrimary({ port, pid: server.pid, signal });
  } catch (cause) {
    const what = server.ended ? 'ended while it started' : 'was not ready in time';
    throw new Error(`mongod ${what}:\n${server.output}`, { cause });
  }
}

function describe(server: ServerProcess, port: number): EmbeddedServer {
  return {
    pid: server.pid,
    port,
    // A direct connection ignores the member's name in the configuration of the set.
    url: `mongodb://127.0.0.1:${port}/?directConnection=true`,
    exited: server.exited,
    stop: (deadlineMs) => server.stop(deadlineMs),
    kill: (signal) => server.kill(signal),
    onExit: (listener) => server.onExit(listener),
  };
}
