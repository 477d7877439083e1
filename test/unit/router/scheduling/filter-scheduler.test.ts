import assert from 'node:assert/strict';
import { setImmediate } from 'node:timers/promises';
import { test } from 'node:test';
import { pino } from 'pino';
import { systemClock } from '#infra/system-clock.ts';
import { type MatchQuestion, FilterScheduler } from '#src/router/scheduling/filter-scheduler.ts';
import { SubscriptionIndex } from '#src/router/subscription-index.ts';
import { waitUntil } from '#testkit/wait-until.ts';

const log = pino({ level: 'silent' });
/** A filter on this list exceeds the budget of a turn, but takes little time. */
const LONG_LIST = Array.from({ length: 250_000 }, () => 0);

/**
 * Builds the index of a tenant with `filters` endpoints, each with a filter that looks for 1 in
 * `data`.
 */
function indexOf(filters: number): SubscriptionIndex {
  const numbers = Array.from({ length: filters }, (_, i) => i);
  return new SubscriptionIndex(
    {
      v: 1,
      id: 't',
      rev: 1,
      weight: 1,
      endpoints: numbers.map((i) => ({
        id: `ep_${i}`,
        url: 'https://example.com',
        state: 'active',
        format: 'standard',
        headers: {},
        secrets: [],
      })),
      subscriptions: numbers.map((i) => ({
        id: `sub_${i}`,
        endpointId: `ep_${i}`,
        eventTypes: ['*'],
        filter: { data: 1 },
      })),
    },
    { report: (_tenant, _subscription, error) => assert.fail(String(error)) },
    systemClock,
  );
}

interface Asked extends MatchQuestion {
  /** Number of filters evaluated so far. */
  evaluated: () => number;
}

function question(tenant: string, index: SubscriptionIndex, data: unknown, isOwner = true): Asked {
  let evaluated = 0;
  const document = {
    get data() {
      evaluated++;
      return data;
    },
  };
  return {
    tenant,
    index,
    type: 'order.created',
    event: () => document,
    isOwner: () => isOwner,
    evaluated: () => evaluated,
  };
}

test('an expensive match pauses after each filter, and cheap matches run in between', async () => {
  const turns = new FilterScheduler({ clock: systemClock, log });
  const other = indexOf(3);
  // Compilation takes longer than the budget of a cheap match.
  await turns.match(question('beta', other, [1]));
  const expensive = question('acme', indexOf(20), [...LONG_LIST, 1]);
  const found = turns.match(expensive);
  assert.ok(!Array.isArray(found), 'the match ran to its end without a pause');
  const progress: number[] = [];
  while (expensive.evaluated() < 20) {
    const cheap = turns.match(question('beta', other, [1]));
    assert.ok(Array.isArray(cheap), 'a cheap match was delayed');
    assert.equal(cheap.length, 3);
    if (expensive.evaluated() !== progress.at(-1)) progress.push(expensive.evaluated());
    await setImmediate();
  }
  assert.deepEqual(
    progress,
    Array.from({ length: 19 }, (_, i) => i + 1),
    'the tenants did not alternate',
  );
  assert.equal((await found).length, 20);
});

test('a match of an expensive index does not start in a turn without budget', async () => {
  const turns = new FilterScheduler({ clock: systemClock, log });
  const index = indexOf(1);
  const first = turns.match(question('acme', index, LONG_LIST));
  assert.ok(Array.isArray(first), 'no other tenant had a turn before it');
  const second = question('acme', index, LONG_LIST);
  const found = turns.match(second);
  assert.ok(!Array.isArray(found));
  assert.equal(second.evaluated(), 0);
  assert.deepEqual(await found, []);
  assert.equal(second.evaluated(), 1);
});

test('a tenant with cheap filters is not delayed by one with expensive filters', async () => {
  const turns = new FilterScheduler({ clock: systemClock, log });
  const much = question('acme', indexOf(60), LONG_LIST);
  const little = question('beta', indexOf(5), LONG_LIST);
  const first = turns.match(much);
  await waitUntil(() => much.evaluated() > 3);
  await turns.match(little);
  // The tenants alternate once both wait.
  assert.ok(much.evaluated() < 20, `${much.evaluated()} filters of the other tenant ran first`);
  await first;
  assert.equal(much.evaluated(), 60);
});

test('a match evaluates no further filter when its result is no longer needed', async () => {
  const turns = new FilterScheduler({ clock: systemClock, log });
  const lost = question('acme', indexOf(20), LONG_LIST, false);
  const found = turns.match(lost);
  const evaluated = lost.evaluated();
  assert.deepEqual(await found, []);
  assert.equal(lost.evaluated(), evaluated);
  assert.ok(evaluated < 20);
});
