/** Searches that no index serves stop at their bounds, and continue there. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { limits } from '#domain/limits.ts';
import { ensureHistoryIndexes, historyOf } from '#infra/mongo/documents.ts';
import { BoundedSearch } from '#src/control/search/bounded-search.ts';
import { FairSearches } from '#src/control/history/fair-searches.ts';
import { type TestMongo, testMongo } from '#testkit/servers.ts';
import { attemptOf, deliveryOf, eventOf } from './history-documents.ts';
import { listsOf, scopeOf } from './lists.ts';

const EVENTS = 3000;

let mongo: TestMongo;
before(async () => {
  mongo = await testMongo();
  await ensureHistoryIndexes(mongo.db, 30 * 24 * 3600);
  const { events, deliveries, attempts } = historyOf(mongo.db);
  const numbers = Array.from({ length: EVENTS }, (_, i) => i);
  // The rare ones are the oldest, and share their times.
  await events.insertMany(
    numbers.map((i) => eventOf('acme', i, i % 100 === 7 ? { data: '{"rare":{"n":1}}' } : {})),
  );
  await deliveries.insertMany(
    numbers.map((i) => {
      const { state, ...rest } = deliveryOf('acme', i);
      return { ...rest, state: { ...state, reason: i % 500 === 3 ? 'rare' : null } };
    }),
  );
  await attempts.insertMany(
    numbers.map((i) => attemptOf('acme', i, { no: i % 1000 === 1 ? 9 : 1 })),
  );
});
after(() => mongo.dispose());

/** A clock on which each look takes this many milliseconds. */
function clockOf(stepMs: number): { monotonicMs: () => number } {
  let nowMs = 0;
  return { monotonicMs: () => (nowMs += stepMs) };
}

for (const order of ['newest', 'oldest'] as const) {
  test(`a scan finds each match once when its pages end within chunks, ${order} first`, async () => {
    const { lists } = listsOf(mongo.db);
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const query = { limit: 4, order, 'data[contains]': '"rare"' } as const;
      const page = await lists.events(
        scopeOf('acme'),
        cursor === undefined ? query : { ...query, cursor },
      );
      assert.equal(page.partial, null);
      seen.push(...page.documents.map(({ id }) => id));
      cursor = page.next_cursor ?? undefined;
    } while (cursor !== undefined);
    const expected = Array.from({ length: EVENTS / 100 }, (_, i) => `evt_${i * 100 + 7}`);
    assert.deepEqual(seen, order === 'oldest' ? expected : expected.toReversed());
  });
}

test('a scan says where it stopped, and its cursor continues there, when its time has passed', async () => {
  const { lists } = listsOf(mongo.db, clockOf(limits.searchMsMax));
  const query = { limit: 10, order: 'newest' as const, reason: ['rare'] };
  const seen: string[] = [];
  const first = await lists.deliveries(scopeOf('acme'), query);
  assert.equal(first.partial?.reason, 'time_limit');
  assert.equal(first.partial.examined_count, 1000);
  const reached = await historyOf(mongo.db)
    .deliveries.find()
    .sort({ accepted_at: -1, _id: -1 })
    .skip(999)
    .limit(1)
    .next();
  assert.equal(first.partial.reached_at, reached?.accepted_at.toISOString());
  let page = first;
  for (;;) {
    seen.push(...page.documents.map(({ _id }) => _id));
    if (page.next_cursor === null) break;
    page = await lists.deliveries(scopeOf('acme'), { ...query, cursor: page.next_cursor });
  }
  assert.equal(seen.length, EVENTS / 500);
  assert.equal(new Set(seen).size, seen.length);
});

test('a count says that there may be more when its scan stops', async () => {
  const query = { 'number[gte]': 9 };
  const counted = await listsOf(mongo.db).lists.countAttempts(scopeOf('acme'), query);
  assert.deepEqual(counted, { count: 3, relation: 'exact', partial: null });
  const stopped = await listsOf(mongo.db, clockOf(limits.searchMsMax)).lists.countAttempts(
    scopeOf('acme'),
    query,
  );
  assert.equal(stopped.relation, 'at_least');
  assert.equal(stopped.partial?.examined_count, 1000);
});

test('a count by an index is exact up to its bound, and at least that beyond', async () => {
  const { events } = historyOf(mongo.db);
  const make = (i: number) => eventOf('many', i, { type: i === 0 ? 'one' : 'other' });
  const numbers = Array.from({ length: limits.countExactMax + 1 }, (_, i) => i);
  await events.insertMany(numbers.map(make));
  const { lists } = listsOf(mongo.db);
  const max = limits.countExactMax;
  assert.deepEqual(await lists.countEvents(scopeOf('many'), {}), {
    count: max,
    relation: 'at_least',
    partial: null,
  });
  assert.deepEqual(await lists.countEvents(scopeOf('many'), { event_type: ['other'] }), {
    count: max,
    relation: 'exact',
    partial: null,
  });
});

test('a filter on the data passes the same events as in a subscription', async () => {
  const { lists } = listsOf(mongo.db);
  const query = { limit: 250, order: 'oldest' } as const;
  const idsOf = async (filter: object, more: object = {}) => {
    const json = JSON.stringify(filter);
    const page = await lists.events(scopeOf('acme'), { ...query, ...more, filter: json });
    return page.documents.map(({ id, ...fields }) => {
      assert.ok(!('data' in fields));
      return id;
    });
  };
  assert.equal((await idsOf({ 'data.rare.n': 1 })).length, EVENTS / 100);
  assert.deepEqual(await idsOf({ 'data.i': { $gte: 2998 } }), ['evt_2998', 'evt_2999']);
  assert.deepEqual(await idsOf({ 'data.i': 12, source: '/shop0' }), ['evt_12']);
  assert.deepEqual(await idsOf({ 'data.i': { $lt: 5 } }, { event_type: ['order.type1'] }), [
    'evt_1',
    'evt_4',
  ]);
});

test('a filter on a string finds it in every form when JSON has several', async () => {
  const { events } = historyOf(mongo.db);
  const forms = ['{"a":"é/x"}', String.raw`{"a":"\u00e9\/x"}`, '{"a":["b", "é/x"]}', '{"b":"é/x"}'];
  await events.insertMany(forms.map((data, i) => eventOf('forms', i, { data })));
  await events.insertOne(eventOf('forms', 7, { kind: 'text', data: 'é/x' }));
  const { lists } = listsOf(mongo.db);
  const find = async (filter: object) => {
    const query = { limit: 9, order: 'oldest' as const, filter: JSON.stringify(filter) };
    return (await lists.events(scopeOf('forms'), query)).documents.map(({ id }) => id);
  };
  assert.deepEqual(await find({ 'data.a': 'é/x' }), ['evt_0', 'evt_1', 'evt_2']);
  assert.deepEqual(await find({ data: { $eq: 'é/x' } }), ['evt_7']);
});

test('rejects a filter on the data that is not valid with POSTHORN_FILTER_INVALID', async () => {
  const { lists } = listsOf(mongo.db);
  const query = { limit: 1, order: 'newest' } as const;
  for (const filter of ['{', '7', '[]', '{"data.a":{"$where":"1"}}']) {
    await assert.rejects(lists.events(scopeOf('acme'), { ...query, filter }), {
      code: 'POSTHORN_FILTER_INVALID',
    });
  }
});

test('a text is compared as it is when it has characters of regular expressions', async () => {
  const { events } = historyOf(mongo.db);
  const texts = ['a.b*c', 'axbbc', '(x|y)[z]\\{1}^$+?'];
  await events.insertMany(texts.map((data, i) => eventOf('texts', i, { kind: 'text', data })));
  await events.insertOne(eventOf('texts', 9, { kind: 'binary', data: 'a.b*c' }));
  const { lists } = listsOf(mongo.db);
  for (const [i, text] of texts.entries()) {
    const query = { limit: 9, order: 'newest', 'data[contains]': text } as const;
    const page = await lists.events(scopeOf('texts'), query);
    assert.deepEqual(
      page.documents.map(({ id }) => id),
      [`evt_${i}`],
    );
  }
});

test('a claim of ingress is neither listed nor counted as an event', async () => {
  const { events } = historyOf(mongo.db);
  await events.insertOne(eventOf('claims', 1));
  const { seq, ...claim } = eventOf('claims', 2);
  await events.insertOne(claim);
  assert.ok(seq);
  const { lists } = listsOf(mongo.db);
  assert.equal((await lists.countEvents(scopeOf('claims'), {})).count, 1);
  const byId = { limit: 5, order: 'newest' as const, id: ['evt_1', 'evt_2'] };
  assert.equal((await lists.events(scopeOf('claims'), byId)).documents.length, 1);
});

test('the list is complete when MongoDB has not built its indexes yet', async (t) => {
  const fresh = await testMongo();
  t.after(() => fresh.dispose());
  await historyOf(fresh.db).events.insertMany([eventOf('acme', 1), eventOf('acme', 2)]);
  const { lists } = listsOf(fresh.db);
  const page = await lists.events(scopeOf('acme'), { limit: 5, order: 'newest' });
  assert.equal(page.documents.length, 2);
  assert.equal((await lists.countEvents(scopeOf('acme'), { status: ['matched'] })).count, 2);
});

test('each chunk of a scan takes a turn among the searches when other tenants wait', async () => {
  const turns: string[] = [];
  const searches = new FairSearches();
  const counted = {
    run: <T>(tenant: string, work: () => Promise<T>): Promise<T> => {
      turns.push(tenant);
      return searches.run(tenant, work);
    },
  };
  const search = new BoundedSearch(counted as FairSearches, clockOf(0));
  const found = await search.find(
    {
      collection: historyOf(mongo.db).deliveries,
      owner: 'acme',
      timeField: 'accepted_at',
      order: 'newest',
      without: [],
      plan: {
        index: { key: { tenant: 1, accepted_at: -1, _id: -1 }, filters: [] },
        indexed: [{ tenant: 'acme' }],
        scanned: [{ 'state.reason': 'none' }],
      },
    },
    undefined,
    1,
  );
  assert.deepEqual(found, { documents: [], stop: null });
  // Chunks of 1,000 and 2,000, then the end: two turns for each.
  assert.deepEqual(
    turns,
    Array.from({ length: 6 }, () => 'acme'),
  );
});
