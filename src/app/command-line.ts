import { parseArgs } from 'node:util';
import { ConfigError } from '#domain/errors.ts';

export const usage = `posthorn start            run everything on this machine, with its own servers
posthorn run [--roles R]  run roles: ingress, router, delivery, control (default: these), probe
posthorn --roles R        same as run --roles R
posthorn migrate          create or update streams and indexes, then end; run it before a new version
posthorn reseal           seal all secrets under the master key, then end; run it when the key changes
posthorn nats-users       print the users of NATS with the rights of each role, then end
posthorn --help           this text

Settings are environment variables POSTHORN_…; see docs/configuration.md.
`;

const commands = ['start', 'run', 'migrate', 'reseal', 'nats-users'] as const;
type Command = (typeof commands)[number];

export interface CommandLine {
  command: Command | 'help';
  roles: string | undefined;
}

/** @throws ConfigError that names the part of the command line that is not valid */
export function parseCommandLine(args: string[]): CommandLine {
  let parsed;
  try {
    parsed = parseArgs({
      args,
      allowPositionals: true,
      options: { roles: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
    });
  } catch (error) {
    throw new ConfigError([(error as Error).message]);
  }
  const { roles, help } = parsed.values;
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
  return { command, roles };
}

function isCommand(text: string): text is Command {
  return (commands as readonly string[]).includes(text);
}
