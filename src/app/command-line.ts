import { parseArgs } from 'node:util';
import { ConfigError } from '#domain/errors.ts';

export const usage = `posthorn start            run everything on this machine, with its own servers
posthorn run [--roles R]  run roles: ingress, router, delivery, control (default: these), probe
posthorn --roles R        same as run --roles R
posthorn migrate          create or update streams and indexes, then end; run it before a new version
posthorn reseal           seal all secrets under the master key, then end; run it when the key changes
posthorn mirror --of D    in a recovery region: create and check mirrors of the streams of domain D
posthorn promote --from T in a recovery region: turn mirrors into streams, read from time T on
posthorn nats-users       print the users of NATS with the rights of each role, then end
posthorn --help           this text

Settings are environment variables POSTHORN_…; see docs/configuration.md.
`;

const commands = ['start', 'run', 'migrate', 'reseal', 'mirror', 'promote', 'nats-users'] as const;
type Command = (typeof commands)[number];

export interface CommandLine {
  command: Command | 'help';
  roles: string | undefined;
  /** The JetStream domain whose streams `mirror` mirrors. */
  of?: string;
  /** Since when `promote` routes events again. */
  from?: Date;
}

/** A token of a subject. */
const DOMAIN = /^[\w-]+$/;
/** With a zone: a time without one depends on the machine. */
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/;

/** @throws ConfigError that names the part of the command line that is not valid */
export function parseCommandLine(args: string[]): CommandLine {
  let parsed;
  try {
    parsed = parseArgs({
      args,
      allowPositionals: true,
      options: {
        roles: { type: 'string' },
        of: { type: 'string' },
        from: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    throw new ConfigError([(error as Error).message]);
  }
  const { roles, of, from, help } = parsed.values;
  const [command = roles === undefined ? 'start' : 'run', ...more] = parsed.positionals;
  if (help === true) return { command: 'help', roles };
  if (!isCommand(command) || more.length > 0) {
    throw new ConfigError([`unknown command "${parsed.positionals.join(' ')}"; try --help`]);
  }
  if (roles === '') throw new ConfigError(['--roles is empty; name at least one role']);
  if (command === 'start' && roles !== undefined) {
    throw new ConfigError(['--roles is for "run"; "start" runs all roles']);
  }
  if (command !== 'run' && roles !== undefined) {
    throw new ConfigError([`--roles is for "run"; "${command}" is for all roles`]);
  }
  if (of !== undefined && command !== 'mirror') throw new ConfigError(['--of is for "mirror"']);
  if (from !== undefined && command !== 'promote') {
    throw new ConfigError(['--from is for "promote"']);
  }
  if (command === 'mirror') return { command, roles, of: domainOf(of) };
  if (command === 'promote') return { command, roles, from: timeOf(from) };
  return { command, roles };
}

function domainOf(text: string | undefined): string {
  if (text !== undefined && DOMAIN.test(text)) return text;
  throw new ConfigError(['--of: must be the JetStream domain of the primary region']);
}

function timeOf(text: string | undefined): Date {
  const time = new Date(text ?? '');
  if (text !== undefined && TIME.test(text) && !Number.isNaN(time.getTime())) return time;
  throw new ConfigError(['--from: must be a time like 2026-01-31T12:00:00Z (RFC 3339)']);
}

function isCommand(text: string): text is Command {
  return (commands as readonly string[]).includes(text);
}
