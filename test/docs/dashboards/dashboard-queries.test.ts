/**
 * Dashboard queries use only labels that their metrics have, and functions that suit their type.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Registry, collectDefaultMetrics } from 'prom-client';
import { dashboards } from './dashboards.ts';
import { projectText } from '../project-files.ts';

interface Metric {
  type: string;
  labels: string[];
}

/** The labels that Prometheus adds to each series when it scrapes a pod. */
const SCRAPED = ['pod', 'job', 'namespace'];
const RATES = /\b(?:rate|increase)\(/;

const exprs = dashboards
  .flatMap(({ panels }) => panels)
  .flatMap(({ queries }) => queries.map(([expr]) => expr));
const catalogue = readCatalogue();

function readCatalogue(): Map<string, Metric> {
  const rows = projectText('docs/metrics.md').matchAll(
    /^\| `(posthorn_\w+)` \| (\w+) \| ([^|]*)\|/gm,
  );
  return new Map(
    [...rows].map(([, name = '', type = '', cell = '']) => {
      // `label`: `value`, `value`; `label`
      const named = cell.split(';').map((part) => part.split(':', 1)[0] ?? '');
      const labels = named.flatMap((part) => part.match(/\w+/g) ?? []);
      return [name, { type, labels }];
    }),
  );
}

interface Asked extends Metric {
  name: string;
  /** The suffixes of a histogram: `_bucket`, `_sum` or `_count`. */
  suffix: string | undefined;
  /** Label matchers, between braces. */
  matchers: string;
}

/**
 * Finds the Posthorn metrics in a query. Recorded rules have a colon in their name and are omitted.
 */
function askedOf(expr: string): Asked[] {
  const found: Asked[] = [];
  for (const [, full = '', matchers = ''] of expr.matchAll(
    /(?<![:\w])(posthorn_\w+)(?!:)(?:\{([^}]*)\})?/g,
  )) {
    const suffix = catalogue.has(full) ? undefined : /_(bucket|sum|count)$/.exec(full)?.[0];
    const name = suffix === undefined ? full : full.slice(0, -suffix.length);
    const metric = catalogue.get(name);
    assert.ok(metric !== undefined, `${full} is not in docs/metrics.md`);
    found.push({ ...metric, name, suffix, matchers });
  }
  return found;
}

test('a query selects and groups only by labels of its metrics', () => {
  assert.ok(catalogue.size > 20 && exprs.length > 40);
  for (const expr of exprs) {
    const requested = askedOf(expr);
    if (requested.length === 0) continue;
    for (const { name, labels, matchers } of requested) {
      for (const [, label = ''] of matchers.matchAll(/(\w+)(?:=~|!=|!~|=)"/g)) {
        assert.ok([...labels, ...SCRAPED].includes(label), `${name} has no ${label}: ${expr}`);
      }
    }
    const all = [...SCRAPED, ...requested.flatMap(({ labels }) => labels)];
    if (requested.some(({ suffix }) => suffix === '_bucket')) all.push('le');
    for (const [, names = ''] of expr.matchAll(/\bby \(([^)]*)\)/g)) {
      for (const label of names.split(', ')) {
        assert.ok(all.includes(label), `nothing has ${label}: ${expr}`);
      }
    }
  }
});

test('counters are queried as rates, gauges as values, and histograms as quantiles', () => {
  for (const expr of exprs) {
    const isRate = RATES.test(expr);
    for (const { name, type, suffix } of askedOf(expr)) {
      if (type === 'histogram') assert.ok(suffix !== undefined, `${name} has no value: ${expr}`);
      else assert.equal(suffix, undefined, `${name} is no histogram: ${expr}`);
      assert.equal(isRate, type !== 'gauge', `${name} is a ${type}: ${expr}`);
    }
    if (expr.startsWith('histogram_quantile')) {
      assert.ok(
        askedOf(expr).every(({ suffix }) => suffix === '_bucket'),
        expr,
      );
    }
  }
});

test('metrics of Node and of the process that dashboards read exist', async () => {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const there = registry.getMetricsAsArray().map(({ name }) => name);
  const requested = exprs.flatMap((expr) => expr.match(/\b(?:process|nodejs)_\w+/g) ?? []);
  assert.ok(requested.length > 4);
  for (const name of requested) assert.ok(there.includes(name), name);
});
