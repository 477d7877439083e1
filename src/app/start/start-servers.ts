import type { Settings } from '#config/sections.ts';
import type { Clock } from '#domain/clock.ts';
import { ConfigError } from '#domain/errors.ts';
import type { Log } from '#infra/telemetry/log.ts';
import { binarySources } from '#src/embedded/binary-sources.ts';
import { findFreePort } from '#src/embedded/free-port.ts';
import { startMongod } from '#src/embedded/mongod.ts';
import { startNatsServer } from '#src/embedded/nats-server.ts';
import { mongod, natsServer, type Program } from '#src/embedded/program.ts';
import { resolveBinary, resolveDeps } from '#src/embedded/resolve-binary.ts';
import type { EmbeddedServer } from '#src/embedded/server-process.ts';
import type { DataDir } from './data-dir.ts';
import { type EmbeddedNatsAccess, embeddedNatsAccess } from './nats-access.ts';
import { Supervisor } from '../run/supervisor.ts';

export interface StartServersDeps {
  settings: Settings;
  env: Record<string, string | undefined>;
  dataDir: DataDir;
  clock: Clock;
  log: Log;
  /** Prints a line of progress when something takes long. */
  report: (line: string) => void;
}

export interface StartedServers {
  natsUrl: string;
  mongodbUrl: string;
  /** The platform's login for the embedded NATS. */
  natsEnvironment: Partial<EmbeddedNatsAccess['environment']>;
  /** URL of the embedded NATS for producers. */
  producersUrl: string | undefined;
  /** Supervisors of the embedded servers. */
  supervisors: Supervisor[];
}

/** Starts a server, the first time and at every restart. */
type StartServer = (options: {
  binary: string;
  dataDir: string;
  port: number;
}) => Promise<EmbeddedServer>;

/**
 * Prepares an embedded server for each URL that the settings lack. The servers are not started.
 *
 * @throws ConfigError if a program cannot be found or fetched
 */
export async function prepareServers(deps: StartServersDeps): Promise<StartedServers> {
  const { url: natsUrl } = deps.settings.nats;
  const { url: mongodbUrl } = deps.settings.mongodb;
  const supervisors: Supervisor[] = [];
  const embed = async (program: Program, start: StartServer, wanted = 0): Promise<number> => {
    const binary = await findProgram(program, deps);
    const port = wanted === 0 ? await findFreePort() : wanted;
    const dataDir = deps.dataDir.join(program.name);
    const spawn = () => start({ binary, dataDir, port });
    supervisors.push(
      new Supervisor({ name: program.name, spawn, clock: deps.clock, log: deps.log }),
    );
    return port;
  };
  const { bytesMax } = deps.settings.streams;
  const nats = natsUrl === undefined ? embeddedNatsAccess(deps.dataDir) : undefined;
  const startNats: StartServer = (options) =>
    startNatsServer({
      ...options,
      // For the fault check: the supervisor restarts the server after its disk was full.
      monitorPort: 0,
      ...(bytesMax === undefined ? {} : { fileStoreBytesMax: bytesMax }),
      ...(nats === undefined ? {} : { access: nats.access }),
    }).catch((error: Error) => {
      throw wantedPortTaken(deps.settings.start.natsPort, error);
    });
  const ownUrl =
    natsUrl === undefined
      ? `nats://127.0.0.1:${await embed(natsServer, startNats, deps.settings.start.natsPort)}`
      : undefined;
  return {
    natsUrl: natsUrl ?? (ownUrl as string),
    mongodbUrl:
      mongodbUrl ??
      `mongodb://127.0.0.1:${await embed(mongod, startMongod)}/?directConnection=true`,
    natsEnvironment: nats?.environment ?? {},
    producersUrl: ownUrl,
    supervisors,
  };
}

async function findProgram(program: Program, deps: StartServersDeps): Promise<string> {
  try {
    return await resolveBinary(program, {
      ...resolveDeps(deps.env, deps.settings.start.cacheDir, deps.dataDir.join('cache')),
      sources: binarySources(program),
      report: deps.report,
      nowMs: deps.clock.wallMs,
    });
  } catch (error) {
    throw new ConfigError([(error as Error).message]);
  }
}

/**
 * Names the setting if the operator chose the taken port. A server of an earlier start has been
 * ended by then.
 */
function wantedPortTaken(port: number, error: Error): Error {
  if (port === 0 || !error.message.includes('address already in use')) return error;
  return new ConfigError([
    `POSTHORN_NATS_PORT: port ${port} on 127.0.0.1 is taken; name another one, or 0 for any`,
  ]);
}
