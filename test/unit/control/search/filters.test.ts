import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cloudEventId } from '#domain/event/event-id.ts';
import { attemptFilters } from '#src/control/search/attempt-filters.ts';
import { deliveryFilters } from '#src/control/search/delivery-filters.ts';
import { eventFilters } from '#src/control/search/event-filters.ts';
import { behind, upTo } from '#src/control/history/time-order.ts';
import type { SearchScope } from '#src/control/search/search-scope.ts';
import { idOfBatchKey, idOfKey } from '#wire/published/idempotency-id.ts';

const scope: SearchScope = { owner: 'acme=2', lives: ['acme=2'], filters: [] };
const all: SearchScope = { owner: '', lives: undefined, filters: [] };

test('a class of responses uses the index of their statuses when no status narrows it', () => {
  const [filter] = deliveryFilters({ response_class: ['5xx', '5xx'] });
  assert.equal(filter?.name, 'response_status');
  assert.equal(filter?.values, 100);
  const both = deliveryFilters({ response_class: ['5xx'], response_status: [503, 404] });
  assert.deepEqual(
    both.map(({ name, values }) => [name, values]),
    [
      ['response_status', 2],
      ['response_class', 100],
    ],
  );
});

test('the status of attempts is a condition on their failure when one status is asked for', () => {
  const named = (status: ('succeeded' | 'failed')[]) =>
    attemptFilters({ status }).map(({ name }) => name);
  assert.deepEqual(named(['failed']), ['failed']);
  assert.deepEqual(named(['succeeded']), ['succeeded']);
  assert.deepEqual(named(['succeeded', 'failed']), []);
});

test('ranges are half-open when both bounds are given', () => {
  const query = { 'number[gte]': 2, 'number[lt]': 5, 'duration_ms[gte]': 100 };
  assert.deepEqual(
    attemptFilters(query).map(({ condition }) => condition),
    [{ no: { $gte: 2 } }, { no: { $lt: 5 } }, { duration_ms: { $gte: 100 } }],
  );
  const range = { 'next_attempt_at[lt]': '2026-01-31T12:00:00Z' };
  assert.deepEqual(deliveryFilters(range)[0]?.condition, {
    'state.next_attempt_at': { $lt: new Date('2026-01-31T12:00:00Z') },
  });
});

test('rejects a time that does not exist with POSTHORN_REQUEST_INVALID', () => {
  assert.throws(() => deliveryFilters({ 'updated_at[gte]': '2026-02-31T00:00:60Z' }), {
    code: 'POSTHORN_REQUEST_INVALID',
  });
});

test('events are named by the ids of their producer when the query has them', () => {
  const idsOf = (query: object) =>
    (eventFilters(scope, query)[0] as { condition: { _id: { $in: string[] } } }).condition._id.$in;
  assert.deepEqual(idsOf({ id: ['a', 'b'] }), ['acme=2/a', 'acme=2/b']);
  const keyed = idsOf({ idempotency_key: 'k' });
  assert.ok(keyed.includes(`acme=2/${idOfKey('k')}`));
  assert.ok(keyed.includes(`acme=2/${idOfBatchKey('k', 999)}`));
  assert.ok(
    idsOf({ source: '/s', producer_id: '1' }).includes(`acme=2/${cloudEventId('/s', '1')}`),
  );
  assert.deepEqual(idsOf({ id: ['a', idOfKey('k')], idempotency_key: 'k' }), [
    `acme=2/${idOfKey('k')}`,
  ]);
});

test('events of all tenants are compared by id when no tenant is named', () => {
  assert.deepEqual(eventFilters(all, { id: ['a'] })[0]?.condition, { id: { $in: ['a'] } });
  const query = { source: '/s', producer_id: '1' };
  assert.throws(() => eventFilters(all, query), { code: 'POSTHORN_REQUEST_INVALID' });
  assert.throws(() => eventFilters(scope, { producer_id: '1' }), {
    code: 'POSTHORN_REQUEST_INVALID',
  });
});

test('unmatched events have an index when no other status is asked for', () => {
  const named = (status: ('accepted' | 'matched' | 'unmatched')[]) =>
    eventFilters(scope, { status }).map(({ name }) => name);
  assert.deepEqual(named(['unmatched']), ['unmatched']);
  assert.deepEqual(named(['unmatched', 'matched', 'accepted']), ['status']);
});

test('a position excludes its own document, and the end of a chunk includes it', () => {
  const at = new Date(5);
  const position = { at, id: 'b' };
  assert.deepEqual(behind('accepted_at', 'newest', undefined), []);
  assert.deepEqual(behind('accepted_at', 'newest', position), [
    { accepted_at: { $lte: at } },
    { $nor: [{ accepted_at: at, _id: { $gte: 'b' } }] },
  ]);
  assert.deepEqual(upTo('started_at', 'oldest', position), [
    { started_at: { $lte: at } },
    { $nor: [{ started_at: at, _id: { $gt: 'b' } }] },
  ]);
});
