/** The runbooks cover every alert, and their commands refer to existing things. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { loadSettings } from '#config/load.ts';
import { projectFiles, projectRoot, projectText } from './project-files.ts';

const README = 'docs/operations/runbooks/README.md';
const pages = projectFiles('docs/operations/runbooks/*.md');

const alerts = projectFiles('charts/posthorn/files/rules/*.yaml').flatMap(({ text }) =>
  [...text.matchAll(/^ *- alert: (\w+)$/gm)].map(([, name = '']) => name),
);

test('the README names the runbook of every alert and a way to trigger it', () => {
  assert.ok(alerts.length > 20, 'the alerts were found');
  const [pageOf = '', breakIt = ''] = projectText(README).split('\n## Break it\n');
  const rows = [...breakIt.matchAll(/^\| (Posthorn\w+) \|/gm)].map(([, name = '']) => name);
  assert.deepEqual(rows.toSorted(), alerts.toSorted());
  const led = [...pageOf.matchAll(/\bPosthorn[A-Z]\w+/g)].map(([name]) => name);
  assert.deepEqual(led.toSorted(), alerts.toSorted());
});

/** Returns the code of a page: its `sh` blocks and its text in backticks. */
const commands = pages.flatMap(({ path, text }) =>
  [...text.matchAll(/^ *```sh\n([\s\S]*?)^ *```|`([^`\n]+)`/gm)].map(([, block, inline]) => ({
    path,
    code: block ?? inline ?? '',
  })),
);

test('programs, roles and files in the commands of the runbooks exist', () => {
  let runs = 0;
  for (const { path, code } of commands) {
    for (const [, file = ''] of code.matchAll(/(?:bin\/node|node) (src\/\S+)/g)) {
      assert.ok(existsSync(join(projectRoot, file)), `${path} runs ${file}`);
      runs++;
    }
    for (const [, roles = ''] of code.matchAll(/--roles ([\w,]+)/g)) {
      // ROLES is a placeholder. pgrep patterns contain the beginning of a list.
      if (roles === 'ROLES') continue;
      const settings = loadSettings({ POSTHORN_ROLES: roles });
      assert.ok(settings.roles.length > 0, `${path}: ${roles}`);
    }
  }
  assert.ok(runs > 1, 'the commands were found');
});

test('kubectl commands name objects that the chart creates', () => {
  const values = parse(projectText('charts/posthorn/values.yaml')) as { roles: object };
  const roles = [...Object.keys(values.roles), 'probe'];
  let named = 0;
  for (const { path, code } of commands) {
    for (const [, role = ''] of code.matchAll(
      /(?:(?:service|deployment)[/ ]posthorn-|component=)(\w+)/g,
    )) {
      assert.ok(roles.includes(role), `${path} names ${role}: ${code}`);
      named++;
    }
    for (const [, verb = ''] of code.matchAll(/\bkubectl (?:--namespace [\w-]+ )?([\w-]+)/g)) {
      assert.ok(VERBS.includes(verb), `${path} says kubectl ${verb}`);
    }
  }
  assert.ok(named > 5, 'the commands were found');
});

const VERBS = ['config', 'delete', 'describe', 'exec', 'get', 'logs', 'port-forward', 'scale'];
