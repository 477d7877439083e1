/** Compares the table of the guide with the indexes, and explains the queries of each row. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Db, Document } from 'mongodb';
import { ensureHistoryIndexes, historyOf } from '#infra/mongo/documents.ts';
import { type ListName, listIndexes, platformIndexes } from '#infra/mongo/history/list-indexes.ts';
import { type TestMongo, testMongo } from '#testkit/servers.ts';
import { projectText } from '../../../docs/project-files.ts';
import { attemptOf, deliveryOf, eventOf } from './history-documents.ts';
import { listsOf, scopeOf } from './lists.ts';

const LIFE = 'acme';
const OTHERS = 400;
const MATCHES = 30;
/** Documents of the cursor's time are read to be compared with it. */
const SAME_TIME = 6;

/** A value of each filter, which few of the documents have, and the fields of those. */
const events: Record<string, [query: object, fields: object]> = {
  none: [{}, {}],
  id: [{ id: ['evt_5', 'evt_6'] }, {}],
  idempotency_key: [{ idempotency_key: 'k' }, {}],
  'source and producer_id': [{ source: '/few', producer_id: 'p' }, {}],
  correlation_id: [{ correlation_id: ['req_few', 'req_x'] }, { correlation_id: 'req_few' }],
  subject: [{ subject: ['few', 'x'] }, { subject: 'few' }],
  'status=unmatched': [{ status: ['unmatched'] }, { routed: 0 }],
  event_type: [{ event_type: ['few', 'x'] }, { type: 'few' }],
  source: [{ source: '/few' }, { source: '/few' }],
};
const held = { state: { ...deliveryOf(LIFE, 0).state, status: 'held' as const } };
const last = { at: new Date(), id: 'a', status: 503, failure: 'http_status' as const };
const deliveries: Record<string, [query: object, fields: object]> = {
  none: [{}, {}],
  event_id: [{ event_id: ['few', 'x'] }, { event: 'few' }],
  replay_id: [{ replay_id: ['rpl_1'] }, { replay: 'rpl_1' }],
  replay_of: [{ replay_of: ['dlv_1', 'dlv_2'] }, { replay_of: 'dlv_1' }],
  'endpoint_id and status': [
    { endpoint_id: ['few', 'x'], status: ['held', 'failed'] },
    { endpoint: 'few', ...held },
  ],
  endpoint_id: [{ endpoint_id: ['few', 'x'] }, { endpoint: 'few' }],
  failure: [{ failure: ['http_status', 'dns'] }, { last_attempt: last }],
  response_status: [{ response_status: [503, 504] }, { last_attempt: last }],
  response_class: [{ response_class: ['5xx', '4xx'] }, { last_attempt: last }],
  'event_type and status': [
    { event_type: ['few', 'x'], status: ['held', 'failed'] },
    { type: 'few', ...held },
  ],
  event_type: [{ event_type: ['few'] }, { type: 'few' }],
  status: [{ status: ['held', 'failed'] }, held],
};
const failed = { failure: 'http_status' as const, response_status: 503 };
const attempts: Record<string, [query: object, fields: object]> = {
  none: [{}, {}],
  delivery_id: [{ delivery_id: ['few', 'x'] }, { delivery: 'few' }],
  event_id: [{ event_id: ['few', 'x'] }, { event: 'few' }],
  'endpoint_id and failure': [
    { endpoint_id: ['few', 'x'], failure: ['http_status', 'dns'] },
    { endpoint: 'few', ...failed },
  ],
  'endpoint_id and status=failed': [
    { endpoint_id: ['few'], status: ['failed'] },
    { endpoint: 'few', ...failed },
  ],
  endpoint_id: [{ endpoint_id: ['few', 'x'] }, { endpoint: 'few' }],
  failure: [{ failure: ['http_status', 'dns'] }, failed],
  'status=failed': [{ status: ['failed'] }, failed],
  response_status: [{ response_status: [503, 504] }, failed],
  response_class: [{ response_class: ['5xx'] }, failed],
  event_type: [{ event_type: ['few', 'x'] }, { type: 'few' }],
};
const cases: Record<ListName, Record<string, [object, object]>> = {
  events,
  deliveries,
  attempts,
};

interface Row {
  list: string;
  filters: string;
  index: string;
}

function tableRows(): Row[] {
  const text = projectText('docs/guides/searching.md');
  const rows = text.matchAll(
    /^\| ((?:all )?(?:events|deliveries|attempts)) \| (.+) \| `(.+)` \|$/gm,
  );
  return [...rows].map(([, list = '', filters = '', index = '']) => ({
    list,
    filters: filters.replaceAll('`', ''),
    index,
  }));
}

let mongo: TestMongo;
let db: Db;
before(async () => {
  mongo = await testMongo();
  db = mongo.db;
  await ensureHistoryIndexes(db, 30 * 24 * 3600);
});
after(() => mongo.dispose());

async function seed(list: ListName, fields: object): Promise<void> {
  const history = historyOf(db);
  const make = { events: eventOf, deliveries: deliveryOf, attempts: attemptOf }[list];
  const documents: Document[] = [];
  for (let i = 0; i < OTHERS + MATCHES; i++) {
    const every = Math.floor((OTHERS + MATCHES) / MATCHES);
    documents.push({ ...make(LIFE, i), ...(i % every === 0 ? fields : {}) });
    documents.push(make('another', i));
  }
  const collection = history[list] as never as ReturnType<typeof db.collection>;
  await collection.deleteMany({});
  await collection.insertMany(documents);
}

/** Runs `read` with the profiler, and returns the commands that it sent. */
async function profiled(list: ListName, read: () => Promise<unknown>): Promise<Document[]> {
  await db.command({ profile: 0 });
  await db.collection('system.profile').drop();
  await db.command({ profile: 2 });
  try {
    await read();
  } finally {
    await db.command({ profile: 0 });
  }
  const ns = `${db.databaseName}.${list}`;
  return db.collection('system.profile').find({ ns }).toArray();
}

/** Returns the stages of a plan, with their keys and numbers. */
function stagesOf(plan: Document): Document[] {
  const inner = [plan['inputStage'], ...(plan['inputStages'] ?? [])];
  return [plan, ...inner.filter((stage) => stage !== undefined).flatMap(stagesOf)];
}

async function explained(command: Document): Promise<Document> {
  const plain = { ...command };
  for (const field of ['$db', 'lsid', '$clusterTime']) delete plain[field];
  const answer = await db.command({ explain: plain, verbosity: 'executionStats' });
  return answer['executionStats'] ?? answer['stages'][0]['$cursor'].executionStats;
}

test('indexes of earlier versions are dropped when others replace them', async () => {
  const { deliveries, events } = historyOf(db);
  await deliveries.createIndex({ tenant: 1, event: 1 });
  await events.createIndex({ tenant: 1, accepted_at: -1, _id: -1 });
  await ensureHistoryIndexes(db, 30 * 24 * 3600);
  await ensureHistoryIndexes(db, 30 * 24 * 3600);
  const names = [...(await deliveries.indexes()), ...(await events.indexes())].map(
    ({ name }) => name,
  );
  assert.ok(!names.includes('tenant_1_event_1'), names.join());
  assert.ok(names.includes('tenant_1_event_1_accepted_at_-1__id_-1'), names.join());
  // Of deliveries: that of events has the sequence too.
  assert.equal(names.filter((name) => name === 'tenant_1_accepted_at_-1__id_-1').length, 1);
});

test('the table lists every index and every filter that has one', () => {
  const rows = tableRows();
  const indexOf = ({ key }: { key: object }) => Object.keys(key).join(', ');
  for (const list of ['events', 'deliveries', 'attempts'] as const) {
    const shown = rows.filter((row) => row.list === list);
    assert.deepEqual(
      new Set(shown.map(({ index }) => index)),
      new Set(listIndexes[list].map(indexOf)),
    );
    assert.deepEqual(
      new Set(shown.map(({ filters }) => filters)),
      new Set(Object.keys(cases[list])),
    );
    const all = rows.filter((row) => row.list === `all ${list}`);
    assert.deepEqual(
      all.map(({ index, filters }) => [filters, index]),
      [['none', indexOf(platformIndexes[list])]],
    );
  }
});

for (const { list: shown, filters, index } of tableRows()) {
  const isOfAll = shown.startsWith('all ');
  const list = shown.replace('all ', '') as ListName;
  const [query, fields] = cases[list][filters] ?? [{}, {}];
  for (const order of ['newest', 'oldest'] as const) {
    test(`the list of ${shown} reads only its page by the index when filtered by ${filters}, ${order} first`, async () => {
      await seed(list, fields);
      const { lists } = listsOf(db);
      const scope = isOfAll ? scopeOf(undefined) : scopeOf(LIFE);
      const limit = 10;
      let cursor: string | null = null;
      const commands = await profiled(list, async () => {
        const page = await lists[list](scope, { ...query, limit, order });
        assert.equal(page.partial, null);
        cursor = page.next_cursor;
        if (cursor !== null) await lists[list](scope, { ...query, limit, order, cursor });
      });
      assert.equal(commands.length, cursor === null ? 1 : 2, 'one query for each page');
      for (const { command, planSummary } of commands) {
        assert.match(planSummary, /^IXSCAN/);
        if (command['$truncated'] !== undefined) continue;
        const stats = await explained(command);
        const stages = stagesOf(stats['executionStages']);
        const names = stages.map(({ stage }) => stage as string);
        assert.ok(!names.includes('COLLSCAN'), names.join());
        if (index !== '_id') assert.ok(!names.includes('SORT'), names.join());
        const scans = stages.filter(({ stage }) => stage === 'IXSCAN');
        assert.ok(scans.length > 0, names.join());
        for (const scan of scans) assert.equal(Object.keys(scan['keyPattern']).join(', '), index);
        assert.ok(
          stats['totalDocsExamined'] <= limit + 1 + SAME_TIME,
          `read ${stats['totalDocsExamined']}`,
        );
      }
    });
  }
  test(`the count of ${shown} reads no documents when filtered by ${filters}`, async () => {
    if (index === '_id') return;
    await seed(list, fields);
    const { lists } = listsOf(db);
    const name = {
      events: 'countEvents',
      deliveries: 'countDeliveries',
      attempts: 'countAttempts',
    };
    const scope = isOfAll ? scopeOf(undefined) : scopeOf(LIFE);
    const [command] = await profiled(list, () => lists[name[list] as 'countEvents'](scope, query));
    const stats = await explained(command?.['command']);
    assert.equal(stats['totalDocsExamined'], 0);
    assert.ok(stats['totalKeysExamined'] > 0);
  });
}
