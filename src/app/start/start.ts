import { loadSettings } from '#config/load.ts';
import type { Environment, Role } from '#config/schema.ts';
import { type Settings, toSections } from '#config/sections.ts';
import type { Clock } from '#domain/clock.ts';
import { ConfigError } from '#domain/errors.ts';
import type { Log } from '#infra/telemetry/log.ts';
import { banner } from './banner.ts';
import { findFreePort } from '#src/embedded/free-port.ts';
import { DataDir } from './data-dir.ts';
import { startDemoReceiver } from '../demo/demo-receiver.ts';
import { seedDemo } from '../demo/demo.ts';
import { installationKeys } from './installation-keys.ts';
import { reseal } from '../reseal.ts';
import { startRoleProcess } from '../run/role-process.ts';
import type { Running, StopSignals } from '../run/run-until-stopped.ts';
import { choosePorts, type StartPorts } from './start-ports.ts';
import { EMBEDDED_MONGOD_OPEN_FILES, requireOpenFiles } from '../start-checks/open-files.ts';
import { prepareServers } from './start-servers.ts';
import { Supervisor } from '../run/supervisor.ts';
import { waitUntilReady } from './wait-until-ready.ts';

/** The processes of a start, each with its roles. */
function processesOf(settings: Settings): readonly (readonly Role[])[] {
  const watched: Role[] = settings.probe.intervalMs === 0 ? [] : ['probe'];
  return [['ingress', 'control', 'router', 'delivery', ...watched]];
}

const READY_DEADLINE_MS = 60_000;
const LOOPBACK = '127.0.0.0/8,::1/128';

export interface StartDeps {
  env: Record<string, string | undefined>;
  clock: Clock;
  log: Log;
  /** Prints to standard output: the banner, and a line for each webhook of the demo. */
  print: (text: string) => void;
  /** Prints progress to standard error. */
  report: (line: string) => void;
}

/**
 * Runs `posthorn start`: the whole system on one machine, with embedded servers if no URL is
 * set, and a demo tenant. Everything runs in child processes that are restarted when they end. A
 * stop ends them in order.
 *
 * @throws ConfigError if the data folder, a port or a server program cannot be used, the limit of
 * open files is too low, or a certificate is set
 */
export async function start(
  environment: Environment,
  deps: StartDeps,
  signals: StopSignals,
): Promise<Running> {
  const settings = toSections(environment);
  const beganMs = deps.clock.monotonicMs();
  refuseCertificate(settings);
  if (settings.mongodb.url === undefined) requireOpenFiles(EMBEDDED_MONGOD_OPEN_FILES);
  const cleanups = new AsyncDisposableStack();
  const stop = () => cleanups.disposeAsync();
  const supervisors: Supervisor[] = [];
  const dataDir = DataDir.open(settings.start.dataDir);
  cleanups.defer(() => dataDir.release());
  signals.killing.addEventListener('abort', () => {
    for (const supervisor of supervisors) supervisor.kill();
    dataDir.release();
  });
  const keep = async (supervisor: Supervisor, deadlineMs: number) => {
    supervisors.push(supervisor);
    cleanups.defer(() => supervisor.stop(deadlineMs));
    await supervisor.start();
  };
  try {
    const { bootstrapKey, masterKey } = installationKeys(settings.keys, dataDir);
    const graceMs = dataDir.tookOver ? settings.shutdownDeadlineMs : 0;
    const processRoles = processesOf(settings);
    const ports = await choosePorts(settings, processRoles.length, graceMs, deps.clock);
    const servers = await unlessStopped(
      prepareServers({ ...deps, settings, dataDir }),
      signals.stopping,
    );
    const serverDeadlineMs = 10_000;
    await Promise.all(servers.supervisors.map((server) => keep(server, serverDeadlineMs)));
    signals.stopping.throwIfAborted();

    let secret: string | undefined;
    const receiver = await startDemoReceiver({
      port: ports.receiver,
      secret: () => secret,
      clock: deps.clock,
      print: deps.print,
    });
    cleanups.defer(() => receiver.close());

    const local = `${urlHost(settings.api.host)}:${ports.http}`;
    const env = roleEnvironment(environment, deps.env, {
      ...servers.natsEnvironment,
      ...(servers.producersUrl === undefined ? {} : embeddedShards(deps.env)),
      POSTHORN_NATS_URL: servers.natsUrl,
      POSTHORN_MONGODB_URL: servers.mongodbUrl,
      POSTHORN_BOOTSTRAP_KEY: bootstrapKey,
      POSTHORN_MASTER_KEY: masterKey,
      POSTHORN_HTTP_PORT: ports.http,
      POSTHORN_PROBE_INGRESS_URL: `http://${local}`,
      POSTHORN_PROBE_RECEIVER_URL: `http://127.0.0.1:${await findFreePort()}`,
      POSTHORN_PUBLIC_URL: settings.delivery.publicUrl ?? `http://localhost:${ports.http}`,
    });
    const roleSupervisors = superviseRoles(processRoles, env, ports, deps);
    // Slightly longer than the deadline of the process itself, so that it can log which service did
    // not stop.
    const roleDeadlineMs = settings.shutdownDeadlineMs + 2000;
    await Promise.all(roleSupervisors.map((role) => keep(role, roleDeadlineMs)));
    const hopeless = Promise.race(supervisors.map((supervisor) => supervisor.hopeless));

    const readyUrls = readinessUrls(settings, ports);
    await Promise.race([
      waitUntilReady(readyUrls, READY_DEADLINE_MS, signals.stopping, deps.clock),
      hopeless,
    ]);
    if (settings.mongodb.url === undefined) await resealOwn(settings, env, deps);
    secret = await seedDemo({
      apiUrl: `http://${local}`,
      key: bootstrapKey,
      hookUrl: receiver.hookUrl,
      dataDir,
    });
    deps.print(
      banner({
        apiUrl: `http://${local.replace('127.0.0.1', 'localhost')}`,
        host: settings.api.host,
        key: bootstrapKey,
        natsUrl: servers.producersUrl,
        receiverUrl: receiver.url,
        dataDir: dataDir.path,
        seconds: (deps.clock.monotonicMs() - beganMs) / 1000,
      }),
    );
    return { stop, done: hopeless };
  } catch (error) {
    await stop();
    if (signals.stopping.aborted) return { stop, done: Promise.resolve() };
    throw error;
  }
}

/** The parts on this machine call each other by addresses, which a certificate does not name. */
function refuseCertificate({ certificate }: Settings): void {
  if (certificate === undefined) return;
  throw new ConfigError([
    'POSTHORN_HTTP_CERTIFICATE_PATH, POSTHORN_HTTP_KEY_PATH: are for the command run; for start, put a proxy with TLS in front',
  ]);
}

/** A supervisor for each process, which has its own private port. None is started. */
function superviseRoles(
  processRoles: readonly (readonly Role[])[],
  env: Record<string, string | undefined>,
  ports: StartPorts,
  { clock, log }: Pick<StartDeps, 'clock' | 'log'>,
): Supervisor[] {
  return processRoles.map((roles, index) => {
    const ownEnv = { ...env, POSTHORN_OPS_PORT: String(ports.ops[index]) };
    const spawn = () => startRoleProcess(roles, ownEnv);
    return new Supervisor({ name: roles.join(','), spawn, clock, log });
  });
}

/**
 * One shard is best on one machine with one broker: each further shard only adds consumers that
 * wake up and write state (ADR 0011). A value in the environment wins.
 */
function embeddedShards(env: Record<string, string | undefined>): Partial<Environment> {
  return (env['POSTHORN_SHARDS'] ?? '') === '' ? { POSTHORN_SHARDS: 1 } : {};
}

/**
 * The environment of the role processes: every loaded setting, and the values that the start adds.
 */
function roleEnvironment(
  checked: Environment,
  env: Record<string, string | undefined>,
  added: Partial<Environment>,
): Record<string, string | undefined> {
  const all: Record<string, string | undefined> = {};
  for (const [key, value] of Object.entries(env)) {
    if (!key.startsWith('POSTHORN_')) all[key] = value;
  }
  for (const [key, value] of Object.entries({ ...checked, ...added })) {
    if (value !== undefined) all[key] = String(value);
  }
  // The demo receiver and other test receivers run on this machine.
  all['POSTHORN_EGRESS_ALLOW'] = [checked.POSTHORN_EGRESS_ALLOW, LOOPBACK].join(',');
  return all;
}

/**
 * Reseals secrets while the master key is being changed. All processes that use it have just
 * started with the same keys.
 *
 * @param env environment of the processes
 */
async function resealOwn(
  settings: Settings,
  env: Record<string, string | undefined>,
  deps: Pick<StartDeps, 'log' | 'report'>,
): Promise<void> {
  if (settings.keys.otherMasters.length === 0) return;
  const sealed = await reseal(loadSettings(env), deps.log);
  deps.report(`endpoints sealed under the master key: ${sealed}`);
}

function readinessUrls(settings: Settings, ports: StartPorts): string[] {
  const host = urlHost(settings.ops.host);
  return ports.ops.map((port) => `http://${host}:${port}/readyz`);
}

/** The host by which this machine reaches a listener on `host`. */
function urlHost(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1';
  return host.includes(':') ? `[${host}]` : host;
}

async function unlessStopped<T>(work: Promise<T>, stopping: AbortSignal): Promise<T> {
  stopping.throwIfAborted();
  const stopped = new Promise<never>((_resolve, reject) => {
    stopping.addEventListener('abort', () => reject(stopping.reason as Error), { once: true });
  });
  return await Promise.race([work, stopped]);
}
