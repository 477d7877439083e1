/** Prometheus can parse every query of the dashboards (promtool). */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { tempDir } from '#testkit/temp-dir.ts';
import { dashboards } from '../../docs/dashboards/dashboards.ts';
import { toolPath, tools, without } from '../tools.ts';

test('every query parses', { skip: without(tools.promtool) }, async (t) => {
  const exprs = dashboards
    .flatMap(({ panels }) => panels)
    .flatMap(({ queries }) => queries.map(([expr]) => expr));
  assert.ok(exprs.length > 40);
  // promtool reads rules, and does not know the variables of Grafana.
  const rules = exprs.map((expr, i) => ({
    record: `dashboard:query:${i}`,
    expr: expr.replaceAll('$__rate_interval', '5m'),
  }));
  const file = join(await tempDir(t), 'rules.json');
  await writeFile(file, JSON.stringify({ groups: [{ name: 'dashboards', rules }] }));
  await promisify(execFile)(toolPath(tools.promtool), ['check', 'rules', file]);
});
