import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '#infra/system-clock.ts';
import { EventExplanations } from '#src/control/history/event-explanations.ts';
import type { EndpointSnapshot } from '#wire/config-snapshot.ts';

test('the event loop runs other work between two filters of one endpoint', async (t) => {
  const filter = { 'data.n': 'another' };
  const form = { format: 'data', headers: {} } as const;
  const url = 'https://example.com';
  const endpoint: EndpointSnapshot = { id: 'ep_1', url, state: 'active', ...form, secrets: [] };
  const subscriptions = Array.from({ length: 5 }, (_, n) => {
    return { id: `sub_${n}`, endpointId: endpoint.id, eventTypes: ['*'], filter };
  });
  const snapshot = { v: 1, id: 'acme', rev: 1, weight: 1, subscriptions } as const;
  const event = { tenant: 'acme', id: 'evt_1', type: 'a', kind: 'json' } as const;
  const data = JSON.stringify({ n: 'one' });
  let nowMs = 0;
  const explanations = new EventExplanations({
    events: { find: async () => ({ _id: 'acme evt_1', accepted_at: new Date(), ...event, data }) },
    payloads: { ofEvent: () => assert.fail('its data is at hand') },
    config: {
      tenant: () => ({ ...snapshot, endpoints: [endpoint] }),
      eventType: () => undefined,
    },
    // Each read of the clock comes 10 ms after the previous one: a filter takes that long.
    clock: { ...systemClock, monotonicMs: () => (nowMs += 10) },
  });
  let turns = 0;
  const count = (): void => {
    turns++;
    turn = setImmediate(count);
  };
  let turn = setImmediate(count);
  t.after(() => clearImmediate(turn));
  const explained = await explanations.explain('acme', 'evt_1', { limit: 50 });
  assert.equal(explained.data[0]?.reason, 'filter');
  assert.ok(turns >= subscriptions.length, `${turns} turns of the event loop`);
});
