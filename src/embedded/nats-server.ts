import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { connect } from 'node:net';
import { join, resolve } from 'node:path';
import { text as readText } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { findFreePort } from './free-port.ts';
import { type EmbeddedServer, ServerProcess } from './server-process.ts';
import { endStaleServer } from './stale-server.ts';

/** After a crash it reads all that its streams hold before it answers: ended while it does, it would begin anew. */
const READY_DEADLINE_MS = 600_000;
const PORT_TRIES = 5;
const HEALTH_TIMEOUT_MS = 2000;
const HEALTH_LENGTH_MAX = 500;

export interface NatsServerOptions {
  /** Path of the `nats-server` program. */
  binary: string;
  /** Folder of the JetStream data; made if it is not there. */
  dataDir: string;
  /** Where it listens; absent: 127.0.0.1. */
  host?: string;
  /** Absent: any free port. */
  port?: number;
  /** Where it answers `/healthz`, at its host; 0: any free port; absent: nowhere. */
  monitorPort?: number;
  /** A command that becomes the one after it (`nsenter …`), for tests. */
  launcher?: readonly string[];
  /** fsync before every acknowledgement: survives a power cut, ten times slower on one node. */
  syncAlways?: boolean;
  /** Makes it a member of a cluster. */
  cluster?: NatsClusterMember;
  /** Absent: whoever reaches the port may do everything. */
  access?: NatsAccess;
}

/** Who may connect: the platform with its password, and whom the platform lets in (auth callout). */
export interface NatsAccess {
  user: string;
  /** Letters and digits. */
  password: string;
  /** Public key of the account that signs the users of producers, `A…`. */
  issuer: string;
}

export interface NatsClusterMember {
  /** The same after a restart: JetStream knows its peers by name. */
  serverName: string;
  /** Where the other members reach this one, at its host. */
  port: number;
  /** The other members: `host:port`. */
  others: readonly string[];
}

/**
 * Runs a nats-server with JetStream and waits until its streams are recovered and it answers.
 *
 * @throws Error with the server's last lines if it does not come up
 */
export async function startNatsServer(options: NatsServerOptions): Promise<EmbeddedServer> {
  const dataDir = resolve(options.dataDir);
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const pidFile = join(dataDir, 'nats-server.pid');
  await endStaleServer({ pidFile, program: 'nats-server', dataDir });
  const host = options.host ?? '127.0.0.1';
  for (let tried = 1; ; tried++) {
    const port = options.port ?? (await findFreePort());
    const name = options.cluster?.serverName ?? `posthorn-${randomBytes(6).toString('hex')}`;
    const configFile = join(dataDir, 'nats-server.conf');
    const monitorPort = options.monitorPort === 0 ? await findFreePort() : options.monitorPort;
    const places = { dataDir, pidFile, host, port, ...(monitorPort ? { monitorPort } : {}) };
    const config = configText({ ...options, ...places, name });
    writeFileSync(configFile, config, { mode: 0o600 });
    const server = await ServerProcess.spawn({
      name: 'nats-server',
      binary: options.binary,
      args: ['--config', configFile],
      launcher: options.launcher ?? [],
    });
    try {
      await waitUntilReady(server, { host, port, name });
      return describe(server, host, port, monitorPort);
    } catch (error) {
      await server.stop();
      // Somebody else took the port between the search and the start.
      const portLost =
        (options.port === undefined || options.monitorPort === 0) &&
        server.output.includes('address already in use');
      if (!portLost || tried === PORT_TRIES) throw error;
    }
  }
}

interface NatsConfig extends NatsServerOptions {
  host: string;
  port: number;
  name: string;
  pidFile: string;
}

/** The configuration file; JSON strings are strings of its language too. */
function configText(config: NatsConfig): string {
  return `server_name: ${JSON.stringify(config.name)}
listen: "${config.host}:${config.port}"
${config.monitorPort === undefined ? '' : `http: "${config.host}:${config.monitorPort}"`}
pid_file: ${JSON.stringify(config.pidFile)}
# A batch of events is 4 MiB, and travels as one message with its headers.
max_payload: 8MB
# What one slow client may have waiting before it is cut off.
max_pending: 128MB
write_deadline: "10s"
jetstream {
  store_dir: ${JSON.stringify(config.dataDir)}
  # The bound is the disk: a limit here would refuse retries that are already owed.
  max_file_store: 1TB
  max_memory_store: 256MB
  ${config.syncAlways === true ? 'sync_interval: always' : ''}
}
${config.access === undefined ? '' : accessText(config.access)}${config.cluster === undefined ? '' : clusterText(config.host, config.cluster)}`;
}

/** All in the one account that JetStream's data has been in from the start: what divides them is permissions. */
function accessText({ user, password, issuer }: NatsAccess): string {
  return `authorization {
  timeout: 5
  users: [ { user: ${JSON.stringify(user)}, password: ${JSON.stringify(password)} } ]
  auth_callout {
    issuer: ${JSON.stringify(issuer)}
    auth_users: [ ${JSON.stringify(user)} ]
  }
}
`;
}

function clusterText(host: string, { port, others }: NatsClusterMember): string {
  return `cluster {
  name: posthorn
  listen: "${host}:${port}"
  routes: ${JSON.stringify(others.map((other) => `nats://${other}`))}
}
`;
}

/** The server greets with its name: another server on the port is not taken for ours. */
async function waitUntilReady(
  server: ServerProcess,
  { host, port, name }: { host: string; port: number; name: string },
): Promise<void> {
  const deadline = performance.now() + READY_DEADLINE_MS;
  while (performance.now() < deadline) {
    if (server.ended) break;
    const greeting = await readGreeting(host, port);
    if (greeting.includes(`"${name}"`) && greeting.includes('"jetstream":true')) return;
    await delay(10);
  }
  const what = server.ended ? 'ended while it started' : 'did not answer in time';
  throw new Error(`nats-server ${what}:\n${server.output}`);
}

function readGreeting(host: string, port: number): Promise<string> {
  return new Promise((done) => {
    const socket = connect(port, host);
    let text = '';
    socket.setTimeout(1000, () => socket.destroy());
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
      if (text.includes('\r\n')) socket.destroy();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => done(text));
  });
}

/**
 * What `/healthz` says. A stream that could not be written, as its disk was full, refuses all that comes until the
 * server is started again, and only the whole check sees it (nats-server 2.15). No answer is no fault: then the
 * server has too much to do, or ends.
 */
function healthFault(host: string, monitorPort: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const none = (): void => resolve(undefined);
    // An agent of its own: the global one may send what is for loopback to the proxy of the environment.
    const signal = AbortSignal.timeout(HEALTH_TIMEOUT_MS);
    const options = { host, port: monitorPort, path: '/healthz', agent: false, signal } as const;
    const request = get(options, (answer) => {
      readText(answer).then(
        (said) => resolve(answer.statusCode === 503 ? said.slice(0, HEALTH_LENGTH_MAX) : undefined),
        none,
      );
    });
    request.on('error', none);
  });
}

function describe(
  server: ServerProcess,
  host: string,
  port: number,
  monitorPort: number | undefined,
): EmbeddedServer {
  return {
    pid: server.pid,
    port,
    url: `nats://${host}:${port}`,
    exited: server.exited,
    stop: (deadlineMs) => server.stop(deadlineMs),
    kill: (signal) => server.kill(signal),
    onExit: (listener) => server.onExit(listener),
    ...(monitorPort === undefined ? {} : { fault: () => healthFault(host, monitorPort) }),
  };
}
