import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCommandLine } from '#src/app/command-line.ts';

test('a command line is parsed into its command and roles', () => {
  const start = { command: 'start', roles: undefined };
  assert.deepEqual(parseCommandLine([]), start);
  assert.deepEqual(parseCommandLine(['start']), start);
  assert.deepEqual(parseCommandLine(['run']), { command: 'run', roles: undefined });
  const run = { command: 'run', roles: 'ingress,router' };
  assert.deepEqual(parseCommandLine(['--roles', 'ingress,router']), run);
  assert.deepEqual(parseCommandLine(['run', '--roles=ingress,router']), run);
  assert.deepEqual(parseCommandLine(['migrate']), { command: 'migrate', roles: undefined });
  assert.deepEqual(parseCommandLine(['reseal']), { command: 'reseal', roles: undefined });
  assert.equal(parseCommandLine(['run', '-h']).command, 'help');
});

test('rejects a command line that is not valid with the reason', () => {
  const faults = (args: string[]) => {
    try {
      parseCommandLine(args);
    } catch (error) {
      return (error as Error).message;
    }
    return 'none';
  };
  assert.match(faults(['dance']), /unknown command "dance"/);
  assert.match(faults(['run', 'run']), /unknown command "run run"/);
  assert.match(faults(['start', '--roles', 'router']), /--roles is for "run"/);
  assert.match(faults(['migrate', '--roles', 'router']), /"migrate" is for all roles/);
  assert.match(faults(['reseal', '--roles', 'router']), /"reseal" is for all roles/);
  assert.match(faults(['--role', 'router']), /--role/);
  // An unset shell variable must not mean all roles.
  assert.match(faults(['run', '--roles', '']), /--roles is empty/);
  assert.match(faults(['--roles=']), /--roles is empty/);
});
