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
  const mirror = { command: 'mirror', roles: undefined, of: 'primary' };
  assert.deepEqual(parseCommandLine(['mirror', '--of', 'primary']), mirror);
  const from = new Date('2026-01-31T12:00:00Z');
  const promote = { command: 'promote', roles: undefined, from };
  assert.deepEqual(parseCommandLine(['promote', '--from', '2026-01-31T13:00:00+01:00']), promote);
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
  for (const args of [[], ['--of', ''], ['--of', 'a.b'], ['--of', '>']]) {
    assert.match(faults(['mirror', ...args]), /--of: must be the JetStream domain/);
  }
  // Without a zone the time would depend on the machine.
  for (const time of ['', 'yesterday', '2026-01-31', '2026-01-31T12:00:00', '2026-13-01T00:00Z']) {
    assert.match(faults(['promote', '--from', time]), /--from: must be a time/);
  }
  assert.match(faults(['promote']), /--from: must be a time/);
  assert.match(faults(['migrate', '--of', 'primary']), /--of is for "mirror"/);
  assert.match(faults(['mirror', '--from', '2026-01-31T12:00Z']), /--from is for "promote"/);
  // An unset shell variable must not mean all roles.
  assert.match(faults(['run', '--roles', '']), /--roles is empty/);
  assert.match(faults(['--roles=']), /--roles is empty/);
});
