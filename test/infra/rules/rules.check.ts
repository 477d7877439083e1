/**
 * Every alert fires when it should, stays silent when it should not, and links to a runbook
 * (promtool).
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { parse } from 'yaml';
import { tempDir } from '#testkit/temp-dir.ts';
import { projectText } from '../../docs/project-files.ts';
import { toolPath, tools, without } from '../tools.ts';
import { type AlertCase, alertCases } from './alert-cases.ts';

const run = promisify(execFile);
const FOLDER = 'charts/posthorn/files/rules';
const RUNBOOKS = 'https://github.com/posthorn/posthorn/blob/main/';
const files = readdirSync(FOLDER).map((name) => join(FOLDER, name));
const skip = without(tools.promtool);

interface Rule {
  alert?: string;
  expr: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
}

const rules = files.flatMap((file) => {
  const { groups } = parse(projectText(file)) as { groups: { rules: Rule[] }[] };
  return groups.flatMap((group) => group.rules);
});
const alerts = rules.filter((rule) => rule.alert !== undefined);

test('promtool accepts the rules', { skip }, async () => {
  await run(toolPath(tools.promtool), ['check', 'rules', ...files]);
});

test('each alert has a severity, a summary and a runbook that exists', () => {
  assert.ok(alerts.length > 15);
  for (const { alert, labels, annotations } of alerts) {
    assert.ok(['page', 'ticket'].includes(labels?.['severity'] ?? ''), alert);
    assert.ok(annotations?.['summary'], alert);
    const url = annotations['runbook_url'] ?? '';
    assert.ok(url.startsWith(RUNBOOKS), `${alert}: ${url}`);
    assert.ok(existsSync(url.slice(RUNBOOKS.length)), `${alert}: ${url}`);
  }
});

test('each alert has a test case, and each runbook has an alert that links to it', () => {
  const cases = [...new Set(alertCases.map(({ alert }) => alert))];
  const written = alerts.map(({ alert = '' }) => alert);
  assert.deepEqual(cases.toSorted(), written.toSorted());
  const named = alerts.map((rule) => rule.annotations?.['runbook_url']?.split('/').at(-1) ?? '');
  const pages = readdirSync('docs/operations/runbooks').filter((name) => name !== 'README.md');
  assert.deepEqual([...new Set(named)].toSorted(), pages.toSorted());
});

test('every Posthorn metric that a rule reads is in the catalogue', () => {
  const catalogue = projectText('docs/metrics.md');
  for (const { expr, alert } of rules) {
    for (const [name] of expr.matchAll(/\bposthorn_[a-z_]+/g)) {
      const base = name.replace(/_(bucket|count|sum)$/, '');
      assert.ok(catalogue.includes(`\`${base}\``), `${alert ?? expr}: ${name}`);
    }
  }
});

for (const one of alertCases) {
  test(`${one.alert} fires when its condition holds, and not otherwise`, { skip }, async (t) => {
    const rule = alerts.find(({ alert }) => alert === one.alert) as Rule;
    await promtoolTest(t, one, rule, true);
    await promtoolTest(t, one, rule, false);
  });
}

async function promtoolTest(
  t: TestContext,
  one: AlertCase,
  rule: Rule,
  fires: boolean,
): Promise<void> {
  const series = fires ? one.fires : one.quiet;
  const expected = { exp_labels: { severity: one.severity, ...one.labels } };
  const dir = await tempDir(t);
  const file = join(dir, 'test.json');
  // JSON is valid YAML. Annotations are not compared, because promtool renders their figures
  // itself.
  const test = {
    rule_files: await withoutAnnotations(dir),
    evaluation_interval: '1m',
    tests: [
      {
        interval: '1m',
        input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
        alert_rule_test: [
          { eval_time: one.at, alertname: rule.alert, exp_alerts: fires ? [expected] : [] },
        ],
      },
    ],
  };
  await writeFile(file, JSON.stringify(test));
  await run(toolPath(tools.promtool), ['test', 'rules', file]);
}

async function withoutAnnotations(dir: string): Promise<string[]> {
  const copies: string[] = [];
  for (const [i, path] of files.entries()) {
    const content = parse(projectText(path)) as { groups: { rules: Rule[] }[] };
    for (const group of content.groups) for (const rule of group.rules) delete rule.annotations;
    const copy = join(dir, `rules-${i}.json`);
    await writeFile(copy, JSON.stringify(content));
    copies.push(copy);
  }
  return copies;
}
