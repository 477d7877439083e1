import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { systemClock } from '#infra/system-clock.ts';
import { explainMatch, explanationNeedsData } from '#domain/event/explain-match.ts';
import { compileFilter } from '#domain/filter/compile-filter.ts';
import { selectorMatches } from '#domain/event/event-type.ts';
import { type EndpointStatus, endpointStatuses } from '#domain/endpoint/endpoint.ts';
import { FaultyFilters } from '#src/router/faulty-filters.ts';
import {
  type EventSource,
  type StepBudget,
  SubscriptionIndex,
} from '#src/router/subscription-index.ts';
import type {
  EndpointSnapshot,
  SubscriptionSnapshot,
  TenantSnapshot,
} from '#wire/config-snapshot.ts';

function endpoint(id: string, state: EndpointStatus = 'active'): EndpointSnapshot {
  return { id, url: `https://${id}.example`, state, format: 'standard', headers: {}, secrets: [] };
}

function subscription(
  id: string,
  endpointId: string,
  eventTypes: string[],
  filter?: Record<string, unknown>,
): SubscriptionSnapshot {
  return { id, endpointId, eventTypes, ...(filter === undefined ? {} : { filter }) };
}

function snapshot(
  endpoints: EndpointSnapshot[],
  subscriptions: SubscriptionSnapshot[],
): TenantSnapshot {
  return { v: 1, id: 'acme', rev: 1, weight: 1, endpoints, subscriptions };
}

function ids(endpoints: EndpointSnapshot[]): string[] {
  return endpoints.map((each) => each.id);
}

function newBudget(stepsMax: number): StepBudget {
  return { steps: 0, stepsMax, compileSteps: 0 };
}

/** Runs a match to its end, with a new budget after each pause. */
function match(
  index: SubscriptionIndex,
  type: string,
  event: EventSource,
  stepsMax = Infinity,
): EndpointSnapshot[] {
  let found = index.match(type, event, newBudget(stepsMax));
  while (!Array.isArray(found)) found = found.resume(newBudget(stepsMax)) ?? found;
  return found;
}

/** Creates an index; fails the test if a filter does not compile. */
function newIndex(of: TenantSnapshot): SubscriptionIndex {
  return new SubscriptionIndex(
    of,
    {
      report: (_tenant, _subscription, error) => assert.fail(String(error)),
    },
    systemClock,
  );
}

const mustNotBeCalled: EventSource = () => assert.fail('the event was read');

test('operational events match selectors that name them and not the star', () => {
  const selectors = [
    '*',
    'posthorn.*',
    'posthorn.endpoint.*',
    'posthorn.endpoint.disabled',
    'post.*',
  ];
  const index = newIndex(
    snapshot(
      selectors.map((_, i) => endpoint(`ep_${i}`)),
      selectors.map((selector, i) => subscription(`sub_${i}`, `ep_${i}`, [selector])),
    ),
  );
  const found = (type: string) => ids(match(index, type, mustNotBeCalled));
  assert.deepEqual(found('posthorn.endpoint.disabled'), ['ep_1', 'ep_2', 'ep_3']);
  assert.deepEqual(found('posthorn.delivery.exhausted'), ['ep_1']);
  assert.deepEqual(found('posthornesque.a'), ['ep_0']);
  for (const [i, selector] of selectors.entries()) {
    const matches = selectorMatches(selector, 'posthorn.endpoint.disabled');
    assert.equal(matches, i >= 1 && i <= 3, selector);
  }
});

test('selectors match by exact name, by prefix, or every type with a star', () => {
  const index = newIndex(
    snapshot(
      ['exact', 'prefix', 'deep', 'all', 'none'].map((id) => endpoint(id)),
      [
        subscription('s1', 'exact', ['order.created']),
        subscription('s2', 'prefix', ['order.*']),
        subscription('s3', 'deep', ['order.created.*']),
        subscription('s4', 'all', ['*']),
        subscription('s5', 'gone', ['*']),
        subscription('s6', 'none', []),
      ],
    ),
  );
  const found = (type: string) => ids(match(index, type, mustNotBeCalled));
  assert.deepEqual(found('order.created'), ['exact', 'prefix', 'all']);
  assert.deepEqual(found('order.created.eu'), ['prefix', 'deep', 'all']);
  assert.deepEqual(found('order'), ['all']);
  assert.deepEqual(found('orders.created'), ['all']);
});

test("a match returns each endpoint once, in the snapshot's order and in any state", () => {
  const index = newIndex(
    snapshot(
      [endpoint('b', 'paused'), endpoint('a', 'disabled')],
      [
        subscription('s1', 'a', ['*', 'x.*', 'x.y']),
        subscription('s2', 'b', ['x.y']),
        subscription('s3', 'a', ['x.y'], { type: 'x.y' }),
      ],
    ),
  );
  assert.deepEqual(ids(match(index, 'x.y', mustNotBeCalled)), ['b', 'a']);
  assert.deepEqual(ids(match(index, 'x.y', mustNotBeCalled)), ['b', 'a']);
});

test('the event is requested once, and its data only when a filter needs it', () => {
  const index = newIndex(
    snapshot(
      [endpoint('a'), endpoint('b')],
      [
        subscription('s1', 'a', ['head'], { source: '/shop' }),
        subscription('s2', 'b', ['head'], { $or: [{ subject: 'x' }, { source: '/shop' }] }),
        subscription('s3', 'a', ['body'], { source: '/shop' }),
        subscription('s4', 'b', ['body'], { $nor: [{ 'data.n': { $lt: 5 } }] }),
      ],
    ),
  );
  const requested: boolean[] = [];
  const source: EventSource = (needsData) => {
    requested.push(needsData);
    return { source: '/shop', data: { n: 7 } };
  };
  assert.deepEqual(ids(match(index, 'head', source)), ['a', 'b']);
  assert.deepEqual(ids(match(index, 'body', source)), ['a', 'b']);
  assert.deepEqual(requested, [false, true]);
});

test('an unreadable event does not affect the next match', () => {
  const index = newIndex(
    snapshot(
      [endpoint('a'), endpoint('b')],
      [subscription('s1', 'a', ['*']), subscription('s2', 'b', ['*'], { id: '1' })],
    ),
  );
  const broken: EventSource = () => {
    throw new SyntaxError('not JSON');
  };
  assert.throws(() => match(index, 'x', broken), SyntaxError);
  assert.deepEqual(ids(match(index, 'x', () => ({ id: '1' }))), ['a', 'b']);
});

test('a stored filter that does not compile matches nothing, is logged once per revision and counts each event', async () => {
  const lines: Record<string, unknown>[] = [];
  const log = pino({ base: null }, { write: (line) => void lines.push(JSON.parse(line)) });
  const registry = new Registry();
  const faulty = new FaultyFilters({ log, registry });
  const bad = subscription('bad', 'a', ['*'], { $where: 'true' });
  const indexOf = (...more: SubscriptionSnapshot[]): SubscriptionIndex =>
    new SubscriptionIndex(snapshot([endpoint('a'), endpoint('b')], more), faulty, systemClock);
  const good = subscription('good', 'b', ['*'], { id: '1' });
  const index = indexOf(bad, good);
  for (let i = 0; i < 2; i++) {
    assert.deepEqual(ids(match(index, 'x', () => ({ id: '1' }))), ['b']);
  }
  // Another snapshot of the tenant, with the subscription as it was; then the subscription changed.
  match(indexOf(bad), 'x', () => ({ id: '1' }));
  assert.deepEqual(
    lines.map(({ msg, tenant_id, subscription_id, endpoint_id }) => [
      msg,
      tenant_id,
      subscription_id,
      endpoint_id,
    ]),
    [['router.filter_faulty', 'acme', 'bad', 'a']],
  );
  match(indexOf(subscription('bad', 'a', ['*'], { $where: 'false' })), 'x', () => ({ id: '1' }));
  assert.equal(lines.length, 2);
  assert.match(JSON.stringify(lines[0]?.['faults']), /\$where/);
  const counted = await registry
    .getSingleMetric('posthorn_router_faulty_filter_events_total')
    ?.get();
  assert.equal(counted?.values[0]?.value, 4);
});

test('a match evaluates only the subscriptions of its event type among 100,000', () => {
  const endpoints = Array.from({ length: 1000 }, (_, i) => endpoint(`ep${i}`));
  const subscriptions = Array.from({ length: 100_000 }, (_, i) =>
    subscription(`s${i}`, `ep${i % 1000}`, [`type${i % 20_000}.created`, `group${i}.*`], {
      'data.n': i,
    }),
  );
  const index = newIndex(snapshot(endpoints, subscriptions));
  assert.deepEqual(ids(match(index, 'type7.created', () => ({ data: { n: 20_007 } }))), ['ep7']);
  assert.equal(index.candidatesEvaluated, 5);
  assert.deepEqual(ids(match(index, 'group99999.x.y', () => ({ data: { n: 99_999 } }))), ['ep999']);
  assert.equal(index.candidatesEvaluated, 6);
});

/** Evaluates each subscription in order, as RT-1 and RT-4 define a match. */
function linearScan(
  tenant: TenantSnapshot,
  type: string,
  event: Record<string, unknown>,
): string[] {
  return tenant.endpoints
    .filter(({ id }) =>
      tenant.subscriptions.some(
        (each) =>
          each.endpointId === id &&
          each.eventTypes.some((selector) => selects(selector, type)) &&
          (each.filter === undefined || compileFilter(each.filter)(event)),
      ),
    )
    .map(({ id }) => id);
}

function selects(selector: string, type: string): boolean {
  if (selector === '*') return true;
  return selector.endsWith('.*') ? type.startsWith(selector.slice(0, -1)) : selector === type;
}

const segment = fc.constantFrom('a', 'b', 'ab');
const type = fc.array(segment, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('.'));
const selector = fc.oneof(
  fc.constant('*'),
  type,
  type.map((name) => `${name}.*`),
);
const endpointIds = ['e1', 'e2', 'e3', 'e4', 'e5'];
const filter = fc.option(
  fc.constantFrom<Record<string, unknown>>(
    { source: 's1' },
    { 'data.n': { $gte: 2 } },
    { $or: [{ 'data.n': 1 }, { source: 's2' }] },
    {},
  ),
  { nil: undefined },
);
const tenant = fc
  .tuple(
    fc.subarray(endpointIds),
    fc.array(fc.constantFrom(...endpointStatuses), { minLength: 5, maxLength: 5 }),
    fc.array(
      fc.tuple(fc.constantFrom(...endpointIds), fc.array(selector, { maxLength: 3 }), filter),
      { maxLength: 15 },
    ),
  )
  .map(([endpoints, states, subscriptions]) =>
    snapshot(
      endpoints.map((id, i) => endpoint(id, states[i])),
      subscriptions.map(([id, selectors, each], i) => subscription(`s${i}`, id, selectors, each)),
    ),
  );
const event = fc.record({
  source: fc.constantFrom('s1', 's2'),
  data: fc.record({ n: fc.integer({ min: 0, max: 3 }) }),
});

test('a match that pauses after each filter finds the same when other matches run in between', () => {
  const turns = fc.constantFrom(1, 25);
  fc.assert(
    fc.property(tenant, type, event, turns, (snapshot, type, event, stepsMax) => {
      const index = newIndex(snapshot);
      const whole = ids(match(index, type, () => event));
      const budget = () => newBudget(stepsMax);
      let found = index.match(type, () => event, budget());
      let stops = 0;
      while (!Array.isArray(found)) {
        match(index, 'a.b', () => ({ source: 's2', data: { n: 3 } }));
        found = found.resume(budget()) ?? found;
        assert.ok(++stops <= snapshot.subscriptions.length, 'a turn evaluated no filter');
      }
      assert.deepEqual(ids(found), whole);
    }),
    { numRuns: 300 },
  );
});

test('no filter is evaluated without budget, and at least one with a step left', () => {
  const endpoints = Array.from({ length: 3 }, (_, i) => endpoint(`e${i}`));
  const filters = endpoints.map(({ id }) => subscription(`s-${id}`, id, ['*'], { id: '1' }));
  const index = newIndex(snapshot(endpoints, filters));
  let evaluated = 0;
  const document = {
    get id() {
      evaluated++;
      return '1';
    },
  };
  const found = index.match('x', () => document, newBudget(0));
  assert.ok(!Array.isArray(found));
  assert.equal(evaluated, 0);
  assert.equal(found.resume(newBudget(1)), undefined);
  assert.equal(evaluated, 1);
  assert.equal(found.resume(newBudget(1)), undefined);
  assert.equal(found.resume(newBudget(1))?.length, 3);
  assert.equal(evaluated, 3);
});

test('the index agrees with a scan over all subscriptions, and the explanation with it', () => {
  fc.assert(
    fc.property(tenant, fc.array(fc.tuple(type, event), { maxLength: 5 }), (snapshot, events) => {
      const index = newIndex(snapshot);
      for (const [type, event] of events) {
        let requested = 0;
        const matched = ids(
          match(index, type, (needsData) => {
            requested++;
            return needsData ? event : { source: event.source };
          }),
        );
        assert.deepEqual(matched, linearScan(snapshot, type, event));
        assert.ok(requested <= 1);
        const needsData = explanationNeedsData(snapshot, type);
        const view = needsData ? event : { source: event.source };
        const explained = [...explainMatch(snapshot, type, view)];
        assert.deepEqual(
          explained.filter((each) => each?.matched).map((each) => each?.endpointId),
          matched,
        );
      }
    }),
    { numRuns: 500 },
  );
});
