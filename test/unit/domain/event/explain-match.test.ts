import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type ExplainedTenant,
  explainMatch,
  explanationNeedsData,
} from '#domain/event/explain-match.ts';

test('the explanation names the reason for each endpoint and subscription', () => {
  const tenant: ExplainedTenant = {
    endpoints: [
      { id: 'gets', state: 'active' },
      { id: 'lonely', state: 'active' },
      { id: 'other', state: 'active' },
      { id: 'filtered', state: 'active' },
      { id: 'paused', state: 'paused' },
      { id: 'disabled', state: 'disabled' },
      { id: 'paused-other', state: 'paused' },
      { id: 'broken', state: 'active' },
      { id: 'half-broken', state: 'active' },
    ],
    subscriptions: [
      { id: 's1', endpointId: 'gets', eventTypes: ['order.*'] },
      { id: 's2', endpointId: 'gets', eventTypes: ['refund'] },
      { id: 's3', endpointId: 'other', eventTypes: ['refund'] },
      { id: 's4', endpointId: 'filtered', eventTypes: ['refund'] },
      { id: 's5', endpointId: 'filtered', eventTypes: ['*'], filter: { 'data.n': 2 } },
      { id: 's6', endpointId: 'paused', eventTypes: ['*'], filter: { 'data.n': 1 } },
      { id: 's7', endpointId: 'disabled', eventTypes: ['*'] },
      { id: 's8', endpointId: 'paused-other', eventTypes: ['refund'] },
      { id: 's9', endpointId: 'nobody', eventTypes: ['*'] },
      { id: 's10', endpointId: 'broken', eventTypes: ['*'], filter: { $where: 'true' } },
      { id: 's11', endpointId: 'half-broken', eventTypes: ['*'], filter: { $where: 'true' } },
      { id: 's12', endpointId: 'half-broken', eventTypes: ['*'], filter: { 'data.n': 1 } },
    ],
  };
  const steps = [...explainMatch(tenant, 'order.created', { data: { n: 1 } })];
  const explained = steps.filter((each) => each !== undefined);
  assert.deepEqual(
    explained.map((each) => [each.endpointId, each.matched, each.reason]),
    [
      ['gets', true, 'matched'],
      ['lonely', false, 'no_subscription'],
      ['other', false, 'event_type'],
      ['filtered', false, 'filter'],
      ['paused', true, 'endpoint_paused'],
      ['disabled', true, 'endpoint_disabled'],
      ['paused-other', false, 'event_type'],
      ['broken', false, 'filter_faulty'],
      ['half-broken', true, 'matched'],
    ],
  );
  assert.deepEqual(explained[0]?.subscriptions, [
    { subscriptionId: 's1', matched: true, reason: 'matched' },
    { subscriptionId: 's2', matched: false, reason: 'event_type' },
  ]);
  assert.deepEqual(explained[3]?.subscriptions, [
    { subscriptionId: 's4', matched: false, reason: 'event_type' },
    { subscriptionId: 's5', matched: false, reason: 'filter' },
  ]);
  assert.deepEqual(explained.at(-1)?.subscriptions, [
    { subscriptionId: 's11', matched: false, reason: 'filter_faulty' },
    { subscriptionId: 's12', matched: true, reason: 'matched' },
  ]);
});

test('an explanation needs data when a filter that it evaluates reads it', () => {
  const needsData = (endpoint: string, selector: string, filter?: Record<string, unknown>) => {
    const subscription = { id: 's', endpointId: endpoint, eventTypes: [selector] };
    const subscriptions = [filter === undefined ? subscription : { ...subscription, filter }];
    return explanationNeedsData({ endpoints: [{ id: 'a', state: 'active' }], subscriptions }, 'x');
  };
  assert.equal(needsData('a', 'x', { 'data.n': 1 }), true);
  assert.equal(needsData('a', 'x'), false);
  assert.equal(needsData('a', 'x', { source: '/s' }), false);
  assert.equal(needsData('a', 'y', { 'data.n': 1 }), false);
  assert.equal(needsData('b', 'x', { 'data.n': 1 }), false);
  assert.equal(needsData('a', 'x', { $where: 'true' }), false);
});
