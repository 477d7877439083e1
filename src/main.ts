import { existsSync } from 'node:fs';
import { loadEnvironment } from '#config/load.ts';
import { type Settings, toSections } from '#config/sections.ts';
import { ConfigError } from '#domain/errors.ts';
import { systemClock } from '#infra/system-clock.ts';
import { ErrorReports } from '#infra/telemetry/error-reports.ts';
import { type Log, createLog } from '#infra/telemetry/log.ts';
import { LogLines } from '#infra/telemetry/log-lines.ts';
import type { start as Start } from '#src/app/start/start.ts';
import { parseCommandLine, usage } from '#src/app/command-line.ts';
import { exitCodeOf } from '#src/app/run/exit-code.ts';
import { checkWorkingDirectory } from '#src/app/surroundings/check-working-directory.ts';
import { followLauncher } from '#src/app/surroundings/follow-launcher.ts';
import { surviveLostOutput } from '#src/app/surroundings/survive-lost-output.ts';
import { exitCodes, type Running, runUntilStopped } from '#src/app/run/run-until-stopped.ts';

/**
 * Time for NATS, and again for MongoDB: long enough to elect a new leader, short enough to fail a
 * roll-out.
 */
const MIGRATE_DEADLINE_MS = 120_000;

const print = (text: string) => void process.stdout.write(`${text}\n`);
const report = (line: string) => void process.stderr.write(`posthorn: ${line}\n`);

async function main(): Promise<number> {
  const { command, roles, of, from } = parseCommandLine(process.argv.slice(2));
  if (command === 'help') {
    print(usage);
    return exitCodes.ok;
  }
  checkWorkingDirectory();
  const environment = loadEnvironment({
    ...process.env,
    ...(roles === undefined ? {} : { POSTHORN_ROLES: roles }),
  });
  const settings = toSections(environment);
  const deadlineMs = settings.shutdownDeadlineMs;
  if (command === 'start') {
    const log = createLog(settings.logLevel, { process: 'start' });
    const start = await loadStart();
    const deps = { env: process.env, clock: systemClock, log, print, report };
    return runUntilStopped({
      begin: (signals) => start(environment, deps, signals),
      follow: (onGone) => {
        followLauncher({ env: process.env, parentPid: () => process.ppid }, onGone);
      },
      // The roles use the deadline; the embedded servers need more time after them.
      stopDeadlineMs: deadlineMs + 20_000,
      clock: systemClock,
      log,
      process,
    });
  }
  if (command === 'migrate') {
    const log = createLog(settings.logLevel, { process: 'migrate' });
    const { migrate } = await import('#src/app/migrate.ts');
    await migrate(settings, { log, deadlineMs: MIGRATE_DEADLINE_MS });
    return exitCodes.ok;
  }
  if (command === 'reseal') {
    const log = createLog(settings.logLevel, { process: 'reseal' });
    const { reseal } = await import('#src/app/reseal.ts');
    print(`endpoints sealed under the master key: ${await reseal(settings, log)}`);
    return exitCodes.ok;
  }
  if (of !== undefined || from !== undefined) {
    const log = createLog(settings.logLevel, { process: command });
    const { mirror, promote } = await import('#src/app/recovery.ts');
    if (of !== undefined) await mirror(settings, { domain: of, log, print });
    if (from !== undefined) await promote(settings, { from, log, print });
    return exitCodes.ok;
  }
  if (command === 'nats-users') {
    const { natsUsersConfig } = await import('#infra/nats/access/format-users.ts');
    print(natsUsersConfig(settings.streams.shards));
    return exitCodes.ok;
  }
  const lines = new LogLines();
  const { log, reports } = roleLog(settings, lines);
  const run = await runnerOf(settings);
  const code = await runUntilStopped({
    // Nothing has to finish before a process is up.
    begin: ({ stopping }) => Promise.race([run(settings, log, lines), nothingOnce(stopping)]),
    stopDeadlineMs: deadlineMs + 1000,
    clock: systemClock,
    log,
    process,
  });
  await reports?.flush();
  return code;
}

/**
 * Loads the command `start`, which container images leave out with its embedded servers.
 *
 * @throws ConfigError if it is left out
 */
async function loadStart(): Promise<typeof Start> {
  if (!existsSync(new URL('app/start', import.meta.url))) {
    throw new ConfigError([
      'the command start is not in a container image: use run, with POSTHORN_NATS_URL and POSTHORN_MONGODB_URL',
    ]);
  }
  return (await import('#src/app/start/start.ts')).start;
}

/** The probe alone connects to no server. */
async function runnerOf(
  settings: Settings,
): Promise<(settings: Settings, log: Log, lines: LogLines) => Promise<Running>> {
  if (settings.roles.join() === 'probe')
    return (await import('#src/app/run/run-probe.ts')).runProbe;
  return (await import('#src/app/run/run-roles.ts')).runRoles;
}

/** The log of a role process, and its error reporter. */
function roleLog(
  settings: Settings,
  lines: LogLines,
): { log: Log; reports: ErrorReports | undefined } {
  const { logLevel: level } = settings;
  const { dsn, environment } = settings.errorReports;
  const roles = settings.roles.join(',');
  if (dsn === undefined) {
    return { log: createLog(level, { process: roles }, undefined, lines), reports: undefined };
  }
  const reports = new ErrorReports({
    dsn,
    roles,
    environment,
    now: systemClock.wallMs,
    onFailed: (error) => log.warn({ error }, 'error_report.not_sent'),
  });
  const log = createLog(level, { process: roles }, reports, lines);
  return { log, reports };
}

function nothingOnce(stopping: AbortSignal): Promise<Running> {
  return new Promise((resolve) => {
    stopping.addEventListener('abort', () =>
      resolve({ stop: () => Promise.resolve(), done: Promise.resolve() }),
    );
  });
}

surviveLostOutput([process.stdout, process.stderr]);
const failed = (error: unknown) => exitCodeOf(error, { report, log: createLog('fatal') });
process.on('uncaughtException', (error) => process.exit(failed(error)));
process.exit(await main().catch(failed));
