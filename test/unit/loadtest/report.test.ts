import assert from 'node:assert/strict';
import { test } from 'node:test';
import { page, rows } from '../../../loadtest/k6/runner/report.ts';
import type { Restart } from '../../../loadtest/k6/runner/restarts.ts';

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

test('a report lists lost deliveries and crossed thresholds', () => {
  const stated = Object.fromEntries(rows(result));
  assert.equal(stated['lost'], '2');
  assert.equal(stated['deliveries_lost value==0'], 'FAILED');
  assert.equal(stated['dropped_iterations count==0'], 'passed');
  assert.equal(stated['cores busy, all servers included'], '1.50');
  assert.equal(stated['memory of Node, highest'], '300 MiB');
});

test('a restart passes when it was orderly and deliveries continued, and every process was restarted', () => {
  const good = { role: 'router', exitCode: 0, stopMs: 400, startMs: 1500, delivered: 7 } as const;
  const verdict = (done: readonly Restart[]) => rows({ ...result, restarts: { done, due: 2 } });
  const last = (done: readonly Restart[]) => {
    const stated = verdict(done).find(([label]) => label.includes('processes restarted'));
    return stated?.[1];
  };
  assert.equal(last([good, good]), 'passed');
  assert.equal(last([good]), 'FAILED');
  assert.equal(last([good, { ...good, exitCode: 70 }]), 'FAILED');
  assert.equal(last([good, { ...good, delivered: 0 }]), 'FAILED');
  const [, stated] = verdict([good]).find(([label]) => label === 'router restarted') ?? [];
  assert.equal(stated, 'ended with 0 after 0.4 s, ready 1.5 s later, 7 deliveries during it');
});

test('the page draws each series once and loads no external resource', () => {
  const html = page(result);
  assert.equal(html.match(/<polyline/g)?.length, 5);
  assert.doesNotMatch(html, /NaN|https?:|<script/);
  assert.match(html, /value==0/);
});
