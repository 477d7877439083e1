import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { systemClock } from '#infra/system-clock.ts';
import { SequenceStore } from '#infra/nats/stores/sequence-store.ts';
import { Sequencer } from '#src/router/sequences/sequencer.ts';
import { streams, subjects } from '#wire/subjects.ts';
import { startNatsCore, storedMessages } from '../../nats-core.ts';

const WHERE = { tenant: 'acme', endpoint: 'ep_1' };

interface Core {
  /** Another router: nothing in memory. */
  router: () => Sequencer;
  store: SequenceStore;
  /** The stored numbers and their deliveries, in the order of the stream. */
  stored: () => Promise<[number, string][]>;
  purge: () => Promise<void>;
}

async function start(t: TestContext): Promise<Core> {
  const core = await startNatsCore(t);
  const store = new SequenceStore({
    publisher: core.publisher,
    jsm: () => Promise.resolve(core.jsm),
    now: systemClock.wallMs,
  });
  return {
    router: () => new Sequencer(store),
    store,
    stored: async () =>
      (await storedMessages(core.jsm, streams.sequences)).map(({ data }) => {
        const { n, d } = JSON.parse(data.toString()) as { n: number; d: string };
        return [n, d];
      }),
    purge: async () => {
      await core.jsm.streams.purge(streams.sequences, {
        filter: subjects.sequence(WHERE.tenant, WHERE.endpoint),
      });
    },
  };
}

/** Asks for the number of the delivery of an event, which has this place in its stream. */
function ask(
  router: Sequencer,
  place: number,
  options: { isOwner?: () => boolean; endpoint?: string } = {},
): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    router.add({
      ...WHERE,
      ...(options.endpoint === undefined ? {} : { endpoint: options.endpoint }),
      delivery: `dlv_${place}`,
      event: `evt_${place}`,
      place: { storedMs: 1000 + Math.floor(place / 10), seq: place },
      isOwner: options.isOwner ?? (() => true),
      done: (error, sequence) => (error === undefined ? resolve(sequence) : reject(error)),
    });
  });
}

test('deliveries of an endpoint get the numbers 1, 2, 3 in the order of the requests', async (t) => {
  const { router, stored } = await start(t);
  const one = router();
  const numbers = await Promise.all([1, 2, 3, 4].map((place) => ask(one, place)));
  assert.deepEqual(numbers, [1, 2, 3, 4]);
  assert.deepEqual(await stored(), [
    [1, 'dlv_1'],
    [2, 'dlv_2'],
    [3, 'dlv_3'],
    [4, 'dlv_4'],
  ]);
  assert.equal(await ask(one, 5, { endpoint: 'ep_2' }), 1, 'each endpoint counts for itself');
});

test('a router that takes over continues from the last number, and finds given ones', async (t) => {
  const { router, stored } = await start(t);
  const dead = router();
  for (let place = 1; place <= 50; place++) await ask(dead, place);
  // It died before it published the deliveries: their events are routed again.
  const next = router();
  for (const place of [1, 7, 25, 49, 50]) assert.equal(await ask(next, place), place);
  assert.equal(await ask(next, 51), 51);
  assert.equal((await stored()).length, 51);
});

test('an event that was numbered after later ones is found by its delivery id', async (t) => {
  const { router, stored } = await start(t);
  const first = router();
  // The event at 2 was delayed: a large fan-out.
  for (const place of [1, 3, 4, 5, 2, 6]) await ask(first, place);
  const next = router();
  assert.equal(await ask(next, 2), 5);
  assert.equal(await ask(next, 3), 2);
  assert.equal(await ask(first, 2), 5, 'also from memory');
  assert.equal((await stored()).length, 6);
});

test('an event that got no number before later ones got theirs is numbered now', async (t) => {
  const { router } = await start(t);
  const first = router();
  for (const place of [1, 3, 4]) await ask(first, place);
  assert.equal(await ask(router(), 2), 4);
});

test('two routers give no number twice and leave no gap', async (t) => {
  const { router, stored } = await start(t);
  const routers = [router(), router()] as const;
  const places = Array.from({ length: 40 }, (_, i) => i + 1);
  // Both route every event, as when one was paused and does not know that it lost the shard.
  const given = await Promise.all(
    routers.map((one) => Promise.all(places.map((place) => ask(one, place)))),
  );
  const entries = await stored();
  assert.deepEqual(
    entries.map(([number]) => number),
    places,
  );
  assert.equal(new Set(entries.map(([, delivery]) => delivery)).size, places.length);
  assert.deepEqual(given[0], given[1], 'both found the same number for each delivery');
});

test('a router without the shard gets no number', async (t) => {
  const { router, stored } = await start(t);
  assert.equal(await ask(router(), 1, { isOwner: () => false }), undefined);
  assert.deepEqual(await stored(), []);
});

test('more numbers than a router remembers are found again', async (t) => {
  const { router, stored } = await start(t);
  const one = router();
  await Promise.all(Array.from({ length: 150 }, (_, i) => ask(one, i + 1)));
  for (const place of [1, 20, 49, 50, 51, 150]) assert.equal(await ask(one, place), place);
  assert.equal((await stored()).length, 150);
});

test('numbers begin again only when all of an endpoint were purged with its tenant', async (t) => {
  const { router, purge } = await start(t);
  await ask(router(), 1);
  await purge();
  assert.equal(await ask(router(), 2), 1);
});
