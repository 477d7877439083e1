/** The dashboard files equal the output of the code, and use existing metrics and all of them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dashboards } from './dashboards.ts';
import { renderDashboard } from './panel.ts';
import { projectFiles, projectText } from '../project-files.ts';

const FOLDER = 'charts/posthorn/files/dashboards';
const files = projectFiles(`${FOLDER}/*.json`);

interface Written {
  uid: string;
  templating: { list: { name: string; type: string }[] };
  annotations: { list: { name: string; expr: string }[] };
  panels: {
    title: string;
    datasource: { uid: string };
    gridPos: { x: number; y: number; w: number; h: number };
    targets: { expr: string; datasource: { uid: string } }[];
  }[];
}

const written = files.map(({ path, text }) => ({ path, ...(JSON.parse(text) as Written) }));
const queries = written.flatMap(({ path, panels }) =>
  panels.flatMap(({ title, targets }) => targets.map(({ expr }) => ({ path, title, expr }))),
);

test('the dashboard files equal the output of the code', () => {
  const names = dashboards.map(({ name }) => `${FOLDER}/${name}.json`);
  assert.deepEqual(files.map(({ path }) => path).toSorted(), names.toSorted());
  for (const dashboard of dashboards) {
    const text = projectText(`${FOLDER}/${dashboard.name}.json`);
    assert.equal(text, renderDashboard(dashboard), 'run `npm run docs`');
  }
});

test('every dashboard has a unique uid and lets the viewer choose the data source', () => {
  assert.equal(new Set(written.map(({ uid }) => uid)).size, written.length);
  for (const { path, templating, panels } of written) {
    const names = templating.list.map(({ name, type }) => `${name}: ${type}`);
    const chosen = ['datasource: datasource', 'namespace: query', 'job: query'];
    assert.deepEqual(names.slice(0, 3), chosen, path);
    for (const { datasource, targets } of panels) {
      for (const source of [datasource, ...targets.map((target) => target.datasource)]) {
        assert.equal(source.uid, '${datasource}', path);
      }
    }
  }
});

test('every metric of a query is restricted to the chosen namespace, and Posthorn to one job', () => {
  for (const { path, title, expr } of queries) {
    const selectors = [...expr.matchAll(METRIC)];
    assert.ok(selectors.length > 0, `${path}, ${title}: ${expr}`);
    for (const [, name = '', matchers = ''] of selectors) {
      const scope = name.startsWith('nats_') ? 'namespace="$brokers"' : 'namespace="$namespace"';
      assert.ok(matchers.startsWith(scope), `${path}, ${title}: ${name} in ${expr}`);
      const isOurs = /^(posthorn|process|nodejs)/.test(name);
      if (isOurs) assert.ok(matchers.includes('job="$job"'), `${path}, ${title}: ${expr}`);
    }
  }
});

/** A metric with the matchers between its braces. */
const METRIC = /(?<![\w:])((?:posthorn|process|nodejs|kube|nats)[_:][\w:]+)(?:\{([^}]*)\})?/g;

test('every dashboard marks deployments by the revision of the processes', () => {
  for (const { path, annotations } of written) {
    const [deployments] = annotations.list;
    assert.match(deployments?.expr ?? '', /posthorn_build_info\{.*\} offset 5m/, path);
  }
});

test('panels whose figure has an alert show its thresholds', () => {
  const drawn = dashboards.flatMap(({ panels }) => panels.filter(({ thresholds }) => thresholds));
  assert.ok(drawn.length > 12, `${drawn.length} panels`);
  for (const { name } of dashboards) {
    assert.match(projectText(`${FOLDER}/${name}.json`), /"thresholds"/, name);
  }
});

test('panels neither overlap nor cross the edge', () => {
  for (const { path, panels } of written) {
    const taken = new Set<string>();
    for (const { title, gridPos } of panels) {
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          assert.ok(x < 24 && !taken.has(`${x},${y}`), `${path}: ${title}`);
          taken.add(`${x},${y}`);
        }
      }
    }
  }
});

test('every Posthorn metric in a query is in the catalogue, and every metric in the catalogue in a query', () => {
  const catalogue = new Set<string>();
  const rows = projectText('docs/metrics.md').matchAll(/^\| `(posthorn_\w+)` \|/gm);
  for (const [, name = ''] of rows) catalogue.add(name);
  const recorded = projectFiles('charts/posthorn/files/rules/*.yaml').map(({ text }) => text);
  const read = new Set<string>();
  for (const { path, title, expr } of queries) {
    for (const [name] of expr.matchAll(/\bposthorn[_:][\w:]+/g)) {
      const base = name.replace(/_(bucket|count|sum)$/, '');
      if (name.includes(':')) {
        assert.ok(
          recorded.some((rules) => rules.includes(`record: ${name}\n`)),
          `${path}: ${name}`,
        );
      } else {
        assert.ok(catalogue.has(base), `${path}, ${title}: ${name}`);
        read.add(base);
      }
    }
  }
  assert.deepEqual([...catalogue.difference(read)], [], 'not in any dashboard');
});
