import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from '#domain/limits.ts';
import {
  type SequenceEntry,
  type StoredSequenceEntry,
  comparePlaces,
  findFirst,
} from '#infra/nats/stores/sequence-store.ts';
import { RecentSequences } from '#src/router/sequences/recent-sequences.ts';

const place = (storedMs: number, seq = storedMs) => ({ storedMs, seq });

function entry(sequence: number, at: number): SequenceEntry {
  return { sequence, delivery: `dlv_${sequence}`, event: `evt_${sequence}`, latest: place(at) };
}

test('places compare by time, then by sequence', () => {
  assert.ok(comparePlaces(place(1, 9), place(2, 1)) < 0);
  assert.ok(comparePlaces(place(2, 2), place(2, 1)) > 0);
  assert.equal(comparePlaces(place(2, 2), place(2, 2)), 0);
});

test('memory knows every number of an endpoint that had none', () => {
  const recent = new RecentSequences(undefined);
  assert.equal(recent.last, 0);
  assert.equal(recent.mayBeOlder(place(1)), false);
  recent.added(entry(1, 10), 5);
  assert.equal(recent.find('dlv_1'), 1);
  assert.equal(recent.seq, 5);
  assert.equal(recent.mayBeOlder(place(1)), false);
});

test('an event up to the last one of another router may have a number', () => {
  const recent = new RecentSequences({ entry: entry(7, 100), seq: 70 });
  assert.equal(recent.last, 7);
  assert.equal(recent.mayBeOlder(place(100)), true);
  assert.equal(recent.mayBeOlder(place(101)), false);
  assert.deepEqual(recent.latestWith(place(99)), place(100));
  assert.deepEqual(recent.latestWith(place(101)), place(101));
});

test('what memory forgets is looked up', () => {
  const recent = new RecentSequences(undefined);
  for (let n = 1; n <= limits.sequencedDeliveriesRemembered + 1; n++) {
    recent.added(entry(n, n * 10), n);
  }
  assert.equal(recent.find('dlv_1'), undefined);
  assert.equal(recent.find('dlv_2'), 2);
  assert.equal(recent.mayBeOlder(place(10)), true);
  assert.equal(recent.mayBeOlder(place(11)), false);
});

test('the first number that fulfils a condition is found with few reads', async () => {
  // Every third message of the stream is of this endpoint.
  const stored = Array.from({ length: 1000 }, (_, i) => ({
    entry: entry(i + 1, i),
    seq: i * 3 + 2,
  }));
  let reads = 0;
  const store = {
    from: (_tenant: string, _endpoint: string, seq: number) => {
      reads++;
      return Promise.resolve(stored.find((one) => one.seq >= seq));
    },
  };
  const where = { tenant: 'acme', endpoint: 'ep_1' };
  const last = stored.at(-1) as StoredSequenceEntry;
  for (const wanted of [1, 2, 499, 500, 999, 1000]) {
    reads = 0;
    const found = await findFirst(store, where, last, ({ sequence }) => sequence >= wanted);
    assert.equal(found.entry.sequence, wanted);
    assert.ok(reads <= 13, `${reads} reads`);
  }
});
