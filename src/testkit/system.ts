import { randomBytes } from 'node:crypto';
import { findFreePort } from '#src/embedded/free-port.ts';
import { startRoleProcess } from '#src/app/role-process.ts';
import type { Supervised } from '#src/app/supervisor.ts';
import type { Role } from '#config/schema.ts';
import { RestartableServer } from './restartable-server.ts';
import { startMongod, startNatsCluster, startNatsServer } from './servers.ts';
import { waitUntil } from './wait-until.ts';

export const TEST_KEY = 'phk_test_0123456789abcdef';

/** A process of the system, that can be killed and started again with the same settings. */
export interface SystemProcess {
  readonly roles: readonly Role[];
  readonly opsUrl: string;
  process: Supervised;
  kill(signal: NodeJS.Signals): Promise<void>;
  /** Starts it anew and waits until it is ready. */
  restart(): Promise<void>;
}

/** The whole system on real servers of its own, each role in the process that it is told to be in. */
export interface System {
  mongod: RestartableServer;
  /** One nats-server, or those of the cluster in the order of their names. */
  brokers: RestartableServer[];
  natsUrl: string;
  processes: SystemProcess[];
  /** Base URL of a process with the role. */
  url(role: Role): string;
  /** The process that has a role. */
  with(role: Role): SystemProcess;
  /** A request to the public API with a platform key, to the process that has the role for it. */
  fetch(path: string, init: RequestInit): Promise<Response>;
  /** The same, with the bodies as JSON. */
  api(method: string, path: string, body?: unknown): Promise<{ status: number; body: unknown }>;
  stop(): Promise<void>;
}

/**
 * @param layout the roles of each process
 * @param settings beside those that every process needs
 * @param brokers more than one: a cluster, with every stream on `POSTHORN_STREAM_REPLICAS` of them
 */
export async function startSystem(
  layout: readonly (readonly Role[])[],
  settings: Record<string, string> = {},
  brokers = 1,
): Promise<System> {
  const starting =
    brokers === 1 ? startNatsServer().then((one) => [one]) : startNatsCluster(brokers);
  const [servers, database] = await Promise.all([starting, startMongod()]);
  const members = servers.map((server) => new RestartableServer(server));
  const mongod = new RestartableServer(database);
  const natsUrl = members.map((member) => member.url).join(',');
  const common: Record<string, string | undefined> = {
    PATH: process.env['PATH'],
    POSTHORN_NATS_URL: natsUrl,
    POSTHORN_MONGODB_URL: mongod.url,
    POSTHORN_MASTER_KEY: randomBytes(32).toString('base64'),
    POSTHORN_BOOTSTRAP_KEY: TEST_KEY,
    POSTHORN_EGRESS_ALLOW: '127.0.0.0/8',
    POSTHORN_HTTP_HOST: '127.0.0.1',
    POSTHORN_LOG_LEVEL: 'error',
    ...settings,
  };
  const started: { process: SystemProcess; httpPort: number }[] = [];
  for (const roles of layout) started.push(await startProcess(roles, common));
  const find = (role: Role) => {
    const found = started.find(({ process }) => process.roles.includes(role));
    if (found === undefined) throw new Error(`no process has the role ${role}`);
    return found;
  };
  await Promise.all(started.map(({ process }) => ready(process)));
  const url = (role: Role): string => `http://127.0.0.1:${find(role).httpPort}`;
  const request = (path: string, init: RequestInit): Promise<Response> => {
    const publishes = init.method === 'POST' && /\/events(\/batch)?$/.test(path);
    return fetch(url(publishes ? 'ingress' : 'control') + path, {
      ...init,
      headers: { authorization: `Bearer ${TEST_KEY}`, 'content-type': 'application/json' },
    });
  };
  return {
    mongod,
    brokers: members,
    natsUrl,
    processes: started.map(({ process }) => process),
    url,
    with: (role) => find(role).process,
    fetch: request,
    async api(method, path, body) {
      const response = await request(path, {
        method,
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await response.text();
      return { status: response.status, body: text === '' ? undefined : JSON.parse(text) };
    },
    async stop() {
      await Promise.all(started.map(({ process }) => process.process.stop()));
      await Promise.all([...members, mongod].map((server) => server.dispose()));
    },
  };
}

async function startProcess(
  roles: readonly Role[],
  common: Record<string, string | undefined>,
): Promise<{ process: SystemProcess; httpPort: number }> {
  const [httpPort, opsPort] = [await findFreePort(), await findFreePort()];
  const env = {
    ...common,
    POSTHORN_HTTP_PORT: String(httpPort),
    POSTHORN_OPS_PORT: String(opsPort),
  };
  const running: SystemProcess = {
    roles,
    opsUrl: `http://127.0.0.1:${opsPort}`,
    process: await startRoleProcess(roles, env),
    kill: (signal) => running.process.kill(signal),
    async restart() {
      running.process = await startRoleProcess(roles, env);
      await ready(running);
    },
  };
  return { process: running, httpPort };
}

async function ready(process: SystemProcess): Promise<void> {
  await waitUntil(async () => (await fetch(`${process.opsUrl}/readyz`)).ok || undefined, {
    what: `${process.roles.join(',')} ready`,
    deadlineMs: 30_000,
    intervalMs: 50,
  });
}
