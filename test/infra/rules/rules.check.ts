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
import type { AlertCase } from './alert-case.ts';
import { alertCases } from './alert-cases.ts';

const run = promisify(execFile);
const FOLDER = 'charts/posthorn/files/rules';
const RUNBOOKS = 'https://github.com/posthorn/posthorn/blob/main/';
const files = readdirSync(FOLDER).map((name) => join(FOLDER, name));
const skip = without(tools.promtool);

interface Rule {
  alert?: string;
  record?: string;
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

test('each rule keeps the namespace, and that of Posthorn the job, which the text names', () => {
  for (const { alert, record, expr, annotations } of rules) {
    const name = alert ?? record ?? '';
    for (const [, labels = ''] of expr.matchAll(/\b(?:sum|max|min|count|group) by \(([^)]*)\)/g)) {
      const kept = labels.split(', ');
      assert.ok(kept.includes('namespace'), `${name}: ${expr}`);
      if (/posthorn_(?!build_info)/.test(expr)) assert.ok(kept.includes('job'), `${name}: ${expr}`);
    }
    assert.doesNotMatch(expr, /\b(?:sum|max|min|count|group|avg) ?\((?!.*\) by)/, name);
    assert.doesNotMatch(expr, /vector\(/, name);
    if (annotations === undefined) continue;
    assert.match(annotations['summary'] ?? '', /\$labels\.namespace\b/, name);
  }
});

test('each alert on a ratio has a minimum of traffic', () => {
  const ratios = alerts.filter(({ expr }) => /\/ sum by|errors_ratio/.test(expr));
  assert.ok(ratios.length > 9);
  for (const { alert, expr } of ratios)
    assert.match(expr, /(?:increase\(|:events_\dh).* > \d+$/m, alert);
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
  const [own, ...others] = installations(one.of);
  const series = [
    ...Object.entries(fires ? one.fires : one.quiet).map(labelled(own)),
    // Quiet installations do not hide it, and are not added to it.
    ...others.flatMap((other) => Object.entries(one.quiet).map(labelled(other))),
  ];
  const expected = { exp_labels: { severity: one.severity, ...own, ...one.labels } };
  const dir = await tempDir(t);
  const file = join(dir, 'test.json');
  // JSON is valid YAML. Annotations are not compared, because promtool renders their figures
  // itself.
  const test = {
    rule_files: [await withoutAnnotations(dir, rule)],
    evaluation_interval: '1m',
    tests: [
      {
        interval: '1m',
        input_series: series.map(([name, values]) => ({ series: name, values })),
        alert_rule_test: [
          { eval_time: one.at, alertname: rule.alert, exp_alerts: fires ? [expected] : [] },
        ],
      },
    ],
  };
  await writeFile(file, JSON.stringify(test));
  await run(toolPath(tools.promtool), ['test', 'rules', file]);
}

type Labels = Record<string, string>;

/** The labels of the installation that a case is about, and of others in addition. */
function installations(of: AlertCase['of'] = 'installation'): [Labels, ...Labels[]] {
  if (of === 'everything') return [{}];
  if (of === 'namespace') return [{ namespace: 'posthorn' }, { namespace: 'other' }];
  return [
    { namespace: 'posthorn', job: 'posthorn' },
    { namespace: 'other', job: 'posthorn' },
    { namespace: 'posthorn', job: 'other' },
  ];
}

function labelled(labels: Labels) {
  const added = Object.entries(labels).map(([name, value]) => `${name}="${value}"`);
  return ([series, values]: [string, string]): [string, string] => {
    const [, name = '', own = ''] = /^(\w+)(?:\{(.*)\})?$/.exec(series) ?? [];
    return [`${name}{${[own, ...added].filter(Boolean).join(',')}}`, values];
  };
}

/** Copies the file of a rule; the other files would only take time. */
async function withoutAnnotations(dir: string, rule: Rule): Promise<string> {
  for (const path of files) {
    const content = parse(projectText(path)) as { groups: { rules: Rule[] }[] };
    const own = content.groups.flatMap((group) => group.rules);
    if (!own.some(({ alert }) => alert === rule.alert)) continue;
    for (const one of own) delete one.annotations;
    const copy = join(dir, 'rules.json');
    await writeFile(copy, JSON.stringify(content));
    return copy;
  }
  throw new Error(`no file has ${rule.alert}`);
}
