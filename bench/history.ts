/**
 * Measures lists, counts and searches of a month's history: `node bench/history.ts [events] [url]`.
 * Has twice as many deliveries and three times as many attempts as events (1,000,000 unless given).
 * Without a URL of MongoDB it starts and removes its own; a database that has events is measured as
 * it is. Prints p50 and p95 in milliseconds.
 */
import { configurationOf } from '#infra/mongo/configuration.ts';
import { createMongoClient, ensureHistoryIndexes, historyOf } from '#infra/mongo/documents.ts';
import { systemClock } from '#infra/system-clock.ts';
import { FairSearches } from '#src/control/history/fair-searches.ts';
import { HistoryLists } from '#src/control/search/history-lists.ts';
import { TENANT_FILTER } from '#src/control/search/list-plan.ts';
import type { SearchScope } from '#src/control/search/search-scope.ts';
import { startMongod } from '../test/kit/servers.ts';
import { queriesOf } from './history/queries.ts';
import { DAYS, LARGE, seedHistory } from './history/seed.ts';

const events = Number(process.argv[2] ?? 1_000_000);
const url = process.argv[3];
const RUNS = 60;
const PAYLOAD_RUNS = 20;
const LIMIT = 50;

const own = url === undefined ? await startMongod() : undefined;
const client = createMongoClient(url ?? own?.url ?? '', 'bench');

async function prepare(): Promise<number> {
  const db = client.db('history-bench');
  const history = historyOf(db);
  const last = await history.events.find().sort({ seq: -1 }).limit(1).toArray();
  if (last[0] !== undefined) return last[0].accepted_at.getTime();
  const endMs = Date.now();
  const startedMs = performance.now();
  await seedHistory(history, events, endMs);
  console.log(`seeded in ${seconds(startedMs)}`);
  const indexedMs = performance.now();
  await ensureHistoryIndexes(db, 2 * DAYS * 24 * 3600);
  console.log(`indexes built in ${seconds(indexedMs)}`);
  return endMs;
}

const seconds = (sinceMs: number) => `${((performance.now() - sinceMs) / 1000).toFixed(0)} s`;

/** Runs `read` for other values each time, and prints how long it took. */
async function measure(
  what: string,
  runs: number,
  read: (n: number) => Promise<unknown>,
): Promise<void> {
  const tookMs: number[] = [];
  for (let n = 0; n < runs; n++) {
    const startedMs = performance.now();
    JSON.stringify(await read(n + 1));
    tookMs.push(performance.now() - startedMs);
  }
  tookMs.sort((a, b) => a - b);
  const at = (share: number) => (tookMs[Math.floor((runs - 1) * share)] ?? 0).toFixed(1);
  console.log(`${at(0.5).padStart(8)} ${at(0.95).padStart(8)}  ${what}`);
}

try {
  const endMs = await prepare();
  const db = client.db('history-bench');
  const lists = new HistoryLists({
    history: historyOf(db),
    configuration: configurationOf(db),
    searches: new FairSearches(),
    clock: systemClock,
  });
  const filter = { name: TENANT_FILTER, condition: { tenant: { $in: [LARGE] } }, values: 1 };
  const scope: SearchScope = { owner: LARGE, lives: [LARGE], filters: [filter] };
  const all: SearchScope = { owner: '', lives: undefined, filters: [] };
  const page = { limit: LIMIT, order: 'newest' } as const;
  const queries = queriesOf(endMs, events);
  const counts = {
    events: 'countEvents',
    deliveries: 'countDeliveries',
    attempts: 'countAttempts',
  } as const;
  console.log('     p50      p95');
  for (const list of ['events', 'deliveries', 'attempts'] as const) {
    for (const [what, query] of Object.entries(queries[list])) {
      await measure(`${list}: ${what}`, RUNS, (n) => lists[list](scope, { ...page, ...query(n) }));
      await measure(`${list}: count ${what}`, RUNS, (n) => lists[counts[list]](scope, query(n)));
    }
    await measure(`all ${list}`, RUNS, () => lists[list](all, page));
    await measure(`all ${list}: count`, RUNS, () => lists[counts[list]](all, {}));
  }
  for (const [what, query] of Object.entries(queries.payload)) {
    await measure(`${what}, a day`, PAYLOAD_RUNS, (n) =>
      lists.events(scope, { ...page, ...query(n) }),
    );
  }
} finally {
  await client.close();
  await own?.dispose();
}
