/**
 * Requirements of Grafana for a dashboard file: it imports, keeps its link, and draws its queries.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { projectFiles } from '../project-files.ts';

interface Written {
  uid: string;
  title: string;
  schemaVersion: number;
  version: number;
  refresh: string;
  time: { from: string; to: string };
  templating: { list: { name: string; type: string; query: string }[] };
  panels: {
    id: number;
    type: string;
    title: string;
    fieldConfig: { defaults: { unit: string } };
    targets: { refId: string; expr: string; legendFormat: string }[];
  }[];
}

const dashboards = projectFiles('charts/posthorn/files/dashboards/*.json').map(
  ({ path, text }) => ({ path, ...(JSON.parse(text) as Written) }),
);
const panels = dashboards.flatMap((dashboard) =>
  dashboard.panels.map((panel) => ({ dashboard, panel, at: `${dashboard.path}: ${panel.title}` })),
);

/** Since this version a data source is an object, and `timeseries` is the panel of curves. */
const SCHEMA_VERSION_MIN = 36;
/** A selection of the units of Grafana. */
const UNITS = ['short', 's', 'bytes', 'cps', 'percentunit', 'Bps'];
/** Variables that Grafana itself provides to queries. */
const GIVEN = ['__rate_interval'];

function isDistinct(values: readonly unknown[]): boolean {
  return new Set(values).size === values.length;
}

test('every dashboard has the uid, title, schema version and time range that an import needs', () => {
  assert.ok(dashboards.length > 3);
  assert.ok(isDistinct(dashboards.map(({ title }) => title)));
  for (const { path, uid, schemaVersion, version, refresh, time } of dashboards) {
    assert.match(uid, /^[\w-]{1,40}$/, path);
    assert.ok(Number.isInteger(schemaVersion) && schemaVersion >= SCHEMA_VERSION_MIN, path);
    assert.ok(Number.isInteger(version), path);
    assert.match(refresh, /^\d+[smh]$/, path);
    for (const end of [time.from, time.to]) assert.match(end, /^now(-\d+[smhd])?$/, path);
  }
});

test('every panel has a unique id, a known type and unit, and distinct queries', () => {
  for (const { path, panels: own } of dashboards) {
    assert.ok(isDistinct(own.map(({ id }) => id)), path);
    assert.ok(isDistinct(own.map(({ title }) => title)), path);
  }
  for (const { panel, at } of panels) {
    assert.ok(['timeseries', 'stat'].includes(panel.type), at);
    assert.ok(UNITS.includes(panel.fieldConfig.defaults.unit), at);
    assert.ok(panel.targets.length > 0, at);
    const refs = panel.targets.map(({ refId }) => refId);
    assert.ok(isDistinct(refs) && refs.every((ref) => /^[A-Z]$/.test(ref)), at);
  }
});

test('every variable is built into Grafana or declared by the dashboard', () => {
  for (const { dashboard, panel } of panels) {
    const declared = dashboard.templating.list.map(({ name }) => name);
    for (const [, name = ''] of JSON.stringify(panel).matchAll(/\$\{?(\w+)/g)) {
      assert.ok([...GIVEN, ...declared].includes(name), `${dashboard.path}: $${name}`);
    }
  }
});

test('a legend names labels that its query keeps and that distinguish the curves of a panel', () => {
  for (const { panel, at } of panels) {
    assert.ok(isDistinct(panel.targets.map(({ legendFormat }) => legendFormat)), at);
    for (const { expr, legendFormat } of panel.targets) {
      const kept = [...expr.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, names = '']) =>
        names.split(', '),
      );
      for (const [, label = ''] of legendFormat.matchAll(/\{\{(\w+)\}\}/g)) {
        assert.ok(kept.includes(label), `${at}: {{${label}}} of ${expr}`);
      }
    }
  }
});
