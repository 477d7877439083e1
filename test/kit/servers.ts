import { randomBytes } from 'node:crypto';
import { type Db, MongoClient } from 'mongodb';
import { systemClock } from '#infra/system-clock.ts';
import { findFreePort } from '#src/embedded/free-port.ts';
import { mongod, natsServer, type Program } from '#src/embedded/program.ts';
import { startMongod as startEmbeddedMongod } from '#src/embedded/mongod.ts';
import { initiateSet, setUrl } from '#src/embedded/mongod-replica-set.ts';
import {
  type NatsServerOptions,
  startNatsServer as startEmbeddedNats,
} from '#src/embedded/nats-server.ts';
import { binarySources } from '#src/embedded/binary-sources.ts';
import { resolveBinary, resolveDeps } from '#src/embedded/resolve-binary.ts';
import type { EmbeddedServer } from '#src/embedded/server-process.ts';
import { untilStopped } from './processes/pause-process.ts';
import { type TempDir, makeTempDir } from './temp-dir.ts';
import { waitUntil } from './wait-until.ts';

/** Name of the variable with the mongod that `test/global-setup.ts` started for the whole run. */
export const TEST_MONGODB_URL = 'TEST_MONGODB_URL';

export interface TestServer extends EmbeddedServer {
  /** Starts a server on the same folder after `kill`; on the same port by default. */
  restart(port?: number): Promise<TestServer>;
  dataDir: string;
  /** Stops the server and removes its folder. */
  dispose(): Promise<void>;
}

type NatsOptions = Partial<
  Pick<
    NatsServerOptions,
    | 'host'
    | 'port'
    | 'monitorPort'
    | 'syncAlways'
    | 'cluster'
    | 'access'
    | 'launcher'
    | 'fileStoreBytesMax'
  >
>;

/**
 * Starts a real nats-server with a folder and its own port (about 50 ms). `dir` absent: a new
 * one.
 */
export function startNatsServer(options: NatsOptions = {}, dir?: TempDir): Promise<TestServer> {
  return startTestServer(
    natsServer,
    (binary, dataDir, port) =>
      startEmbeddedNats({ ...options, binary, dataDir, ...(port === undefined ? {} : { port }) }),
    dir,
  );
}

/** Place of a cluster member, if not on 127.0.0.1 with its own folder. */
export interface NatsPlace {
  host: string;
  monitorPort?: number;
  launcher?: readonly string[];
  dir?: TempDir;
}

/** Starts real nats-servers that form a cluster: `broker-0`, `broker-1`, … */
export async function startNatsCluster(
  members: number,
  placeOf: (member: number) => NatsPlace = () => ({ host: '127.0.0.1' }),
): Promise<TestServer[]> {
  const places = Array.from({ length: members }, (_, member) => placeOf(member));
  const ports: number[] = [];
  while (ports.length < members) ports.push(await findFreePort());
  const addresses = places.map(({ host }, member) => `${host}:${ports[member]}`);
  return Promise.all(
    places.map(({ dir, ...place }, member) => {
      const others = addresses.filter((_, other) => other !== member);
      const port = ports[member] as number;
      const cluster = { serverName: `broker-${member}`, port, others };
      return startNatsServer({ ...place, cluster }, dir);
    }),
  );
}

/** Starts a separate mongod (about 1 s), for a test that kills it; other tests use `testMongo`. */
export function startMongod(): Promise<TestServer> {
  return startMongodWith({});
}

/** Starts real mongods that form a replica set. */
export async function startMongodSet(
  members: number,
): Promise<{ members: TestServer[]; url: string }> {
  const started = await Promise.all(
    Array.from({ length: members }, () => startMongodWith({ ofSeveral: true })),
  );
  const ports = started.map(({ port }) => port);
  await initiateSet(ports);
  const url = setUrl(ports);
  const client = new MongoClient(url);
  try {
    await waitUntil(
      async () => {
        const { members: states } = await client.db('admin').command({ replSetGetStatus: 1 });
        const [primary, secondary] = [1, 2];
        const at = (state: number) =>
          states.filter((one: { state: number }) => one.state === state);
        return at(primary).length === 1 && at(secondary).length === members - 1;
      },
      { what: 'a replica set with a primary', deadlineMs: 60_000, intervalMs: 100 },
    );
  } finally {
    await client.close();
  }
  return { members: started, url };
}

/**
 * Histories of tests have fixed dates in the past, so the server must not remove expired documents:
 * its monitor runs once a minute, and would hit a test by chance.
 */
async function startMongodWith(options: { ofSeveral?: boolean }): Promise<TestServer> {
  const started = await startTestServer(mongod, (binary, dataDir, port) =>
    startEmbeddedMongod({ ...options, binary, dataDir, ...(port === undefined ? {} : { port }) }),
  );
  const client = new MongoClient(started.url, { directConnection: true });
  try {
    await client.db('admin').command({ setParameter: 1, ttlMonitorEnabled: false });
  } finally {
    await client.close();
  }
  return started;
}

export interface TestMongo {
  url: string;
  client: MongoClient;
  db: Db;
  /** Drops the database and closes the client. */
  dispose(): Promise<void>;
}

/**
 * Creates a new database on the mongod of the test run. A test file that runs alone, without the
 * global set-up, starts its own mongod.
 */
export async function testMongo(): Promise<TestMongo> {
  const shared = process.env[TEST_MONGODB_URL];
  const own = shared === undefined ? await startMongod() : undefined;
  const url = shared ?? (own as TestServer).url;
  const client = new MongoClient(url);
  const db = client.db(`test_${randomBytes(6).toString('hex')}`);
  return {
    url,
    client,
    db,
    async dispose() {
      await db.dropDatabase();
      await client.close();
      await own?.dispose();
    },
  };
}

/** The path of a real server's program, fetched if necessary. */
export function testBinary(program: Program): Promise<string> {
  return resolveBinary(program, {
    ...resolveDeps(process.env, process.env['POSTHORN_CACHE_DIR']),
    sources: binarySources(program),
    report: (line) => process.stderr.write(`${line}\n`),
    nowMs: systemClock.wallMs,
  });
}

type Start = (binary: string, dataDir: string, port: number | undefined) => Promise<EmbeddedServer>;

async function startTestServer(
  program: Program,
  start: Start,
  given?: TempDir,
): Promise<TestServer> {
  const binary = await testBinary(program);
  const dir = given ?? (await makeTempDir());
  const wrap = (server: EmbeddedServer): TestServer => ({
    ...server,
    dataDir: dir.path,
    async kill(signal) {
      await server.kill(signal);
      if (signal === 'SIGSTOP') await untilStopped(server.pid);
    },
    restart: async (port = server.port) => wrap(await start(binary, dir.path, port)),
    async dispose() {
      await server.stop();
      await dir.remove();
    },
  });
  try {
    return wrap(await start(binary, dir.path, undefined));
  } catch (error) {
    await dir.remove();
    throw error;
  }
}
