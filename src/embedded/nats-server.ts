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

/**
 * After a crash, nats-server reads all its streams before it answers. Ending it early would restart
 * that work.
 */
const READY_DEADLINE_MS = 600_000;
const PORT_TRIES = 5;
const HEALTH_TIMEOUT_MS = 2000;
const HEALTH_LENGTH_MAX = 500;

export interface NatsServerOptions {
  /** Path of the `nats-server` program. */
  binary: string;
  /** Folder of the JetStream data; created if missing. */
  dataDir: string;
  /** Host to listen on; absent: 127.0.0.1. */
  host?: string;
  /** Absent: any free port. */
  port?: number;
  /** Port of `/healthz` on its host; 0: any free port; absent: none. */
  monitorPort?: number;
  /** A command that runs the command that follows it (`nsenter …`), for tests. */
  launcher?: readonly string[];
  /** Bytes that JetStream may store; absent: the disk is the limit. */
  fileStoreBytesMax?: number;
  /** fsync before every acknowledgement: survives a power cut, ten times slower on one node. */
  syncAlways?: boolean;
  /** Makes the server a member of a cluster. */
  cluster?: NatsClusterMember;
  /** Absent: every client that reaches the port has full access. */
  access?: NatsAccess;
}

/**
 * Access rules: the platform connects with its password, and admits other clients (auth callout).
 */
export interface NatsAccess {
  user: string;
  /** Letters and digits. */
  password: string;
  /** Public key of the account that signs the users of producers, `A…`. */
  issuer: string;
}

export interface NatsClusterMember {
  /** Must stay the same after a restart: JetStream knows its peers by name. */
  serverName: string;
  /** Port for the other members, at its host. */
  port: number;
  /** The other members: `host:port`. */
  others: readonly string[];
}

/**
 * Runs a nats-server with JetStream and waits until its streams are recovered and it answers.
 *
 * @throws Error with the server's last lines if it does not start
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
      // Another process bound the port between the search and the start.
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

/** The configuration file. JSON strings are valid strings of its language. */
function configText(config: NatsConfig): string {
  return `server_name: ${JSON.stringify(config.name)}
listen: "${config.host}:${config.port}"
${config.monitorPort === undefined ? '' : `http: "${config.host}:${config.monitorPort}"`}
pid_file: ${JSON.stringify(config.pidFile)}
# A batch of events is one message of 4 MiB.
max_payload: 8MB
# Pending bytes at which a slow client is disconnected.
max_pending: 128MB
write_deadline: "10s"
${jetStreamText(config)}${config.access === undefined ? '' : accessText(config.access)}${config.cluster === undefined ? '' : clusterText(config.host, config.cluster)}`;
}

/** Without a bound the disk is the limit. Ingress refuses events before a bound is reached. */
function jetStreamText({ dataDir, fileStoreBytesMax, syncAlways }: NatsConfig): string {
  return `jetstream {
  store_dir: ${JSON.stringify(dataDir)}
  max_file_store: ${fileStoreBytesMax ?? '1TB'}
  max_memory_store: 256MB
  ${syncAlways === true ? 'sync_interval: always' : ''}
}
`;
}

/**
 * All users share the account that has always held the JetStream data; permissions separate them.
 */
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

/** The server's greeting has its name: reject another server on the port. */
async function waitUntilReady(
  server: ServerProcess,
  { host, port, name }: { host: string; port: number; name: string },
): Promise<void> {
  const deadline = AbortSignal.timeout(READY_DEADLINE_MS);
  while (!deadline.aborted && !server.ended) {
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
 * Returns the fault that `/healthz` reports. A stream that could not be written because its disk
 * was full refuses all messages until the server restarts. Only the full check reports it
 * (nats-server 2.15). No answer is not a fault: the server is overloaded or ending.
 */
function healthFault(host: string, monitorPort: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const none = (): void => resolve(undefined);
    // Use an own agent: the global one may send requests for loopback to the proxy of the
    // environment.
    const signal = AbortSignal.timeout(HEALTH_TIMEOUT_MS);
    const options = { host, port: monitorPort, path: '/healthz', agent: false, signal } as const;
    const request = get(options, (answer) => {
      readText(answer).then(
        (text) => resolve(answer.statusCode === 503 ? text.slice(0, HEALTH_LENGTH_MAX) : undefined),
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
