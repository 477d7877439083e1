import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listIndexes } from '#infra/mongo/history/list-indexes.ts';
import { type ListFilter, planList, TENANT_FILTER } from '#src/control/search/list-plan.ts';

const tenant: ListFilter = {
  name: TENANT_FILTER,
  condition: { tenant: { $in: ['acme'] } },
  values: 1,
};
const filter = (name: string, values = 1): ListFilter => ({
  name,
  condition: { [name]: values },
  values,
});
const keyOf = (filters: ListFilter[]) =>
  Object.keys(planList(listIndexes.deliveries, [tenant, ...filters]).index.key).join();

test('a list uses the index of all its filters when there is one', () => {
  const plan = planList(listIndexes.deliveries, [
    tenant,
    filter('status', 2),
    filter('endpoint_id', 20),
  ]);
  assert.equal(Object.keys(plan.index.key).join(), 'tenant,endpoint,state.status,accepted_at,_id');
  assert.deepEqual(plan.indexed, [
    tenant.condition,
    filter('endpoint_id', 20).condition,
    filter('status', 2).condition,
  ]);
  assert.deepEqual(plan.scanned, []);
});

test('a list scans the index of some filters when none has all', () => {
  const plan = planList(listIndexes.deliveries, [tenant, filter('reason'), filter('status')]);
  assert.equal(Object.keys(plan.index.key).join(), 'tenant,state.status,accepted_at,_id');
  assert.deepEqual(plan.scanned, [filter('reason').condition]);
});

test('a list names every value of a field that it does not filter when the index holds it', () => {
  const plan = planList(listIndexes.deliveries, [tenant, filter('event_type')]);
  assert.deepEqual(plan.indexed.at(-1), {
    'state.status': { $in: ['pending', 'delivered', 'failed', 'held', 'cancelled'] },
  });
});

test('a list uses a smaller index when the values have more combinations than MongoDB merges', () => {
  assert.equal(
    keyOf([filter('response_status', 200)]),
    'tenant,last_attempt.status,accepted_at,_id',
  );
  assert.equal(keyOf([filter('response_status', 201)]), 'tenant,accepted_at,_id');
  const tenants = { ...tenant, values: 20 };
  const plan = planList(listIndexes.deliveries, [tenants, filter('response_status', 11)]);
  assert.equal(Object.keys(plan.index.key).join(), 'tenant,accepted_at,_id');
  assert.equal(plan.scanned.length, 1);
});

test('rejects indexes without one that needs no filter', () => {
  assert.throws(() => planList([], [tenant]), /no index without filters/);
});
