import assert from 'node:assert/strict';
import { test } from 'node:test';
import { issueId } from '#domain/ids.ts';
import {
  type IssueStatus,
  issueActions,
  issueStatuses,
  statusAfterAction,
  statusAfterFailures,
} from '#domain/issue.ts';

const after = (status: IssueStatus | undefined, lastFailedMs: number, resolvedMs?: number) =>
  statusAfterFailures({ status, lastFailedMs, resolvedMs });

test('failures open a new issue, and reopen a resolved one if they came after its resolution', () => {
  assert.equal(after(undefined, 5), 'open');
  assert.equal(after('open', 5), 'open');
  assert.equal(after('acknowledged', 5), 'acknowledged');
  assert.equal(after('resolved', 5, 4), 'open');
  assert.equal(after('resolved', 4, 4), 'resolved');
  assert.equal(after('resolved', 3, 4), 'resolved');
});

test('each action leads to its status, and a resolved issue cannot be acknowledged', () => {
  const table = issueStatuses.map((status) =>
    issueActions.map((action) => statusAfterAction(status, action)),
  );
  assert.deepEqual(table, [
    ['acknowledged', 'resolved', 'open'],
    ['acknowledged', 'resolved', 'open'],
    [undefined, 'resolved', 'open'],
  ]);
});

test('an issue id differs by life, endpoint and cause, and is the same each time', () => {
  const ids = [
    issueId('acme', 'ep_1', 'timeout'),
    issueId('acme=1', 'ep_1', 'timeout'),
    issueId('acme', 'ep_2', 'timeout'),
    issueId('acme', 'ep_1', 'http_503'),
  ];
  assert.equal(new Set(ids).size, 4);
  assert.equal(issueId('acme', 'ep_1', 'timeout'), ids[0]);
  assert.match(ids[0] ?? '', /^iss_[0-9a-f]{26}$/);
});
