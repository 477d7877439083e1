import { randomBytes } from 'node:crypto';
import { findFreePort } from '#src/embedded/free-port.ts';
import { startRoleProcess } from '#src/app/run/role-process.ts';
import type { Supervised } from '#src/app/run/supervisor.ts';
import type { Role } from '#config/schema.ts';
import { RestartableServer } from './restartable-server.ts';
import {
  type NatsPlace,
  startMongod,
  startMongodSet,
  startNatsCluster,
  startNatsServer,
} from './servers.ts';
import { untilStopped } from './processes/pause-process.ts';
import { SmallDisk } from './small-disk.ts';
import { makeTempDir } from './temp-dir.ts';
import { waitUntil } from './wait-until.ts';
import type { Zone } from './network/zone.ts';

export const TEST_KEY = 'phk_test_0123456789abcdef';

const LOCAL = '127.0.0.1';
const SMALL_DISK_BROKER = 1;

/** Numbers of servers and processes of a system on one machine. */
export interface SystemOptions {
  /** More than one: a cluster, with every stream on `POSTHORN_STREAM_REPLICAS` of them. */
  brokers?: number;
  /** Members of MongoDB's replica set. */
  mongods?: number;
  /** The last broker and the last worker run in this zone. */
  zone?: Zone;
  /** `max_file_store` of a single broker; absent: only the disk is the limit. */
  fileStoreBytesMax?: number;
  /** Disk size of the second broker, in MiB. */
  smallDiskMebibytes?: number;
  /** A broker of the caller, instead of new ones. */
  natsUrl?: string;
  /** Settings of the processes with these roles, in addition to those of all. */
  settingsOf?: (roles: readonly Role[]) => Record<string, string>;
}

/** A broker whose disk can be filled. */
export interface BrokerOnSmallDisk {
  disk: SmallDisk;
  broker: RestartableServer;
  /** Whether JetStream works, as checked by its liveness probe. */
  isHealthy: () => Promise<boolean>;
}

/** A process of the system that can be killed and restarted with the same settings. */
export interface SystemProcess {
  readonly roles: readonly Role[];
  readonly opsUrl: string;
  /** Port of the public API, if the process has a role that serves it. */
  readonly httpPort: number;
  process: Supervised;
  kill(signal: NodeJS.Signals): Promise<void>;
  /** Restarts the process and waits until it is ready. */
  restart(): Promise<void>;
}

/** The whole system on its own real servers; `layout` assigns the roles to processes. */
export interface System {
  mongodUrl: string;
  /** The only mongod, or the first of the replica set. */
  mongod: RestartableServer;
  mongods: RestartableServer[];
  /** The nats-servers in the order of their names; none if the caller gave one. */
  brokers: RestartableServer[];
  natsUrl: string;
  smallDisk: BrokerOnSmallDisk | undefined;
  processes: SystemProcess[];
  /** Base URL of a process with the role. */
  url(role: Role): string;
  /** The process that has a role. */
  with(role: Role): SystemProcess;
  /** Sends a request to the public API with a platform key, to the process with the role for it. */
  fetch(path: string, init: RequestInit): Promise<Response>;
  /** Like `fetch`, with JSON bodies. */
  api(method: string, path: string, body?: unknown): Promise<{ status: number; body: unknown }>;
  stop(): Promise<void>;
}

/**
 * @param layout the roles of each process
 * @param settings settings in addition to those that every process needs
 */
export async function startSystem(
  layout: readonly (readonly Role[])[],
  settings: Record<string, string> = {},
  options: SystemOptions = {},
): Promise<System> {
  const { zone } = options;
  const [{ members, smallDisk }, { mongods, mongodUrl }] = await Promise.all([
    startBrokers(options),
    startMongods(options.mongods ?? 1),
  ]);
  const natsUrl = options.natsUrl ?? members.map((member) => member.url).join(',');
  const common: Record<string, string | undefined> = {
    PATH: process.env['PATH'],
    NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'],
    POSTHORN_NATS_URL: natsUrl,
    POSTHORN_MONGODB_URL: mongodUrl,
    POSTHORN_MASTER_KEY: randomBytes(32).toString('base64'),
    POSTHORN_BOOTSTRAP_KEY: TEST_KEY,
    POSTHORN_EGRESS_ALLOW: ['127.0.0.0/8', ...(zone ? [`${zone.coreHost}/32`] : [])].join(','),
    POSTHORN_HTTP_HOST: LOCAL,
    POSTHORN_LOG_LEVEL: 'error',
    ...settings,
  };
  const started: SystemProcess[] = [];
  const lastWorker = layout.findLastIndex((roles) => roles.includes('delivery'));
  for (const [i, roles] of layout.entries()) {
    const own = { ...common, ...options.settingsOf?.(roles) };
    started.push(await startProcess(roles, own, i === lastWorker ? zone : undefined));
  }
  const find = (role: Role) => {
    const found = started.find(({ roles }) => roles.includes(role));
    if (found === undefined) throw new Error(`no process has the role ${role}`);
    return found;
  };
  await Promise.all(started.map(ready));
  const url = (role: Role): string => `http://${LOCAL}:${find(role).httpPort}`;
  const request = (path: string, init: RequestInit): Promise<Response> => {
    const publishes = init.method === 'POST' && /\/events(\/batch)?$/.test(path);
    return fetch(url(publishes ? 'ingress' : 'control') + path, {
      ...init,
      headers: { authorization: `Bearer ${TEST_KEY}`, 'content-type': 'application/json' },
    });
  };
  return {
    mongodUrl,
    mongod: mongods[0] as RestartableServer,
    mongods,
    brokers: members,
    natsUrl,
    smallDisk,
    processes: started,
    url,
    with: find,
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
      await Promise.all(started.map(({ process }) => process.stop()));
      await Promise.all([...members, ...mongods].map((server) => server.dispose()));
    },
  };
}

interface Brokers {
  members: RestartableServer[];
  smallDisk: BrokerOnSmallDisk | undefined;
}

async function startBrokers(options: SystemOptions): Promise<Brokers> {
  const { brokers = 1, zone, smallDiskMebibytes } = options;
  if (options.natsUrl !== undefined) return { members: [], smallDisk: undefined };
  if (brokers === 1) {
    const { fileStoreBytesMax } = options;
    const bound = fileStoreBytesMax === undefined ? {} : { fileStoreBytesMax };
    return { members: [new RestartableServer(await startNatsServer(bound))], smallDisk: undefined };
  }
  const host = zone?.coreHost ?? LOCAL;
  const small = smallDiskMebibytes === undefined ? undefined : await smallPlace(smallDiskMebibytes);
  const servers = await startNatsCluster(brokers, (member): NatsPlace => {
    if (zone !== undefined && member === brokers - 1) {
      return { host: zone.host, launcher: zone.launcher };
    }
    return member === SMALL_DISK_BROKER ? { host, ...small?.place } : { host };
  });
  const members = servers.map((server) => new RestartableServer(server));
  if (small === undefined) return { members, smallDisk: undefined };
  const { disk, place } = small;
  const healthUrl = `http://${host}:${place.monitorPort}/healthz?js-enabled-only=true`;
  const isHealthy = async (): Promise<boolean> => (await fetch(healthUrl)).ok;
  const broker = members[SMALL_DISK_BROKER] as RestartableServer;
  return { members, smallDisk: { disk, broker, isHealthy } };
}

async function smallPlace(
  mebibytes: number,
): Promise<{ disk: SmallDisk; place: Omit<NatsPlace, 'host'> }> {
  const dir = await makeTempDir();
  const disk = SmallDisk.mount(dir.path, mebibytes);
  const remove = async (): Promise<void> => {
    disk.unmount();
    await dir.remove();
  };
  return { disk, place: { monitorPort: await findFreePort(), dir: { ...dir, remove } } };
}

async function startMongods(
  count: number,
): Promise<{ mongods: RestartableServer[]; mongodUrl: string }> {
  if (count === 1) {
    const mongod = new RestartableServer(await startMongod());
    return { mongods: [mongod], mongodUrl: mongod.url };
  }
  const { members, url } = await startMongodSet(count);
  return { mongods: members.map((member) => new RestartableServer(member)), mongodUrl: url };
}

async function startProcess(
  roles: readonly Role[],
  common: Record<string, string | undefined>,
  zone: Zone | undefined,
): Promise<SystemProcess> {
  const [httpPort, opsPort] = [await findFreePort(), await findFreePort()];
  const host = zone?.host ?? LOCAL;
  const start = () => startRoleProcess(roles, env, zone?.launcher);
  const env = {
    ...common,
    POSTHORN_OPS_HOST: host,
    POSTHORN_HTTP_PORT: String(httpPort),
    POSTHORN_OPS_PORT: String(opsPort),
  };
  const running: SystemProcess = {
    roles,
    opsUrl: `http://${host}:${opsPort}`,
    httpPort,
    process: await start(),
    async kill(signal) {
      await running.process.kill(signal);
      if (signal === 'SIGSTOP') await untilStopped(running.process.pid);
    },
    async restart() {
      running.process = await start();
      await ready(running);
    },
  };
  return running;
}

async function ready(process: SystemProcess): Promise<void> {
  await waitUntil(async () => (await fetch(`${process.opsUrl}/readyz`)).ok || undefined, {
    what: `${process.roles.join(',')} ready`,
    deadlineMs: 120_000,
    intervalMs: 50,
  });
}
