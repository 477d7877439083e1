import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCommandLine } from '#src/app/command-line.ts';

test('the commands and what stands for them', () => {
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

test('what is not understood is said', () => {
  const faults = (args: string[]) => {
    try {
      parseCommandLine(args);
    } catch (error) {
      return (error as Error).message;
    }
    return 'none';
  };
  assert.match(faults(['dance']), /no command "dance"/);
  assert.match(faults(['run', 'run']), /no command "run run"/);
  assert.match(faults(['start', '--roles', 'router']), /--roles is for "run"/);
  assert.match(faults(['migrate', '--roles', 'router']), /"migrate" is for all roles/);
  assert.match(faults(['reseal', '--roles', 'router']), /"reseal" is for all roles/);
  assert.match(faults(['--role', 'router']), /--role/);
  // A variable that is not set: it must not mean all of them.
  assert.match(faults(['run', '--roles', '']), /--roles is empty/);
  assert.match(faults(['--roles=']), /--roles is empty/);
});
