import assert from 'node:assert/strict';
import { test } from 'node:test';
import { page, rows } from '../../../loadtest/k6/runner/report.ts';

const result = {
  scenario: 'smoke',
  startedAt: new Date(0),
  summary: {
    metrics: {
      deliveries: { value: 100 },
      deliveries_lost: { value: 2, thresholds: { 'value==0': true } },
      dropped_iterations: { count: 0, thresholds: { 'count==0': false } },
    },
  },
  groups: {
    all: { received: 100, unique: 100, duplicates: 0, p50_ms: 1, p95_ms: 2, p99_ms: 3 },
  },
  series: [
    { at: 100, unique: 50, p50_ms: 1, p95_ms: 2 },
    { at: 101, unique: 50, p50_ms: 1, p95_ms: 4 },
  ],
  samples: [
    { at: 99, cores: 1, nodeMiB: 100 },
    { at: 101, cores: 2, nodeMiB: 300 },
  ],
};

test('the rows say what was lost, and which thresholds were crossed', () => {
  const said = Object.fromEntries(rows(result));
  assert.equal(said['lost'], '2');
  assert.equal(said['deliveries_lost value==0'], 'FAILED');
  assert.equal(said['dropped_iterations count==0'], 'passed');
  assert.equal(said['cores busy, all servers included'], '1.50');
  assert.equal(said['memory of Node, highest'], '300 MiB');
});

test('the page draws each series once, and nothing comes from elsewhere', () => {
  const html = page(result);
  assert.equal(html.match(/<polyline/g)?.length, 5);
  assert.doesNotMatch(html, /NaN|https?:|<script/);
  assert.match(html, /value==0/);
});
