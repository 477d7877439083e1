/** The figures of the alerts on storage agree with the marks and shares of the program. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse } from 'yaml';
import { RESERVE_SHARE, storageMarks, storageShares } from '#domain/storage-shares.ts';
import { projectText } from '../../docs/project-files.ts';

interface Rules {
  groups: { rules: { alert: string; expr: string; annotations: { summary: string } }[] }[];
}

function ruleOf(file: string, name: string): { expr: string; summary: string } {
  const { groups } = parse(projectText(`charts/posthorn/files/rules/${file}.yaml`)) as Rules;
  const found = groups.flatMap(({ rules }) => rules).find(({ alert }) => alert === name);
  assert.ok(found, name);
  return { expr: found.expr, summary: found.annotations.summary };
}

/** The figure after the last comparison. */
const thresholdOf = (file: string, name: string): number => {
  const { expr } = ruleOf(file, name);
  return Number(expr.slice(expr.lastIndexOf('>') + 1));
};

test('tickets come before purges, and pages before events are refused', () => {
  assert.ok(thresholdOf('storage', 'PosthornStreamFills') < storageMarks.purgeFrom);
  assert.ok(thresholdOf('servers', 'PosthornBrokerStorage') < storageMarks.purgeFrom);
  assert.ok(thresholdOf('servers', 'PosthornBrokerStorageFull') < storageMarks.refuseFrom);
  // Above the mark of purges: only a blocked purge pages.
  const full = thresholdOf('storage', 'PosthornStreamFull');
  assert.ok(full > storageMarks.purgeFrom && full < 1);
  const purge = `${Math.round(storageMarks.purgeFrom * 100)} %`;
  assert.ok(ruleOf('storage', 'PosthornStreamFills').summary.includes(purge));
});

test('the alarm of deliveries is half of what the bounded streams leave', () => {
  const bounded = Object.values(storageShares).reduce((sum, share) => sum + share, 0);
  const threshold = thresholdOf('storage', 'PosthornDeliveriesFillStorage');
  assert.ok(Math.abs(threshold - (1 - bounded) / 2) < 0.001);
  assert.ok(threshold <= RESERVE_SHARE + 0.001);
  const { expr, summary } = ruleOf('storage', 'PosthornDeliveriesFillStorage');
  assert.ok(expr.includes(`/ ${storageShares.events})`), 'the storage by the share of events');
  assert.ok(summary.includes(`${Math.round(storageMarks.refuseFrom * 100)} %`));
});
