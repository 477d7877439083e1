import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { systemClock } from '#infra/system-clock.ts';
import { limits } from '#domain/limits.ts';
import { configurationOf } from '#infra/mongo/configuration.ts';
import { ChangeTurns } from '#src/control/config-sync/change-turns.ts';
import { MongoTickets } from '#src/control/config-sync/mongo-tickets.ts';
import { testMongo } from '#testkit/servers.ts';
import { waitUntil } from '#testkit/wait-until.ts';

async function openTickets(t: TestContext): Promise<() => MongoTickets> {
  const mongo = await testMongo();
  t.after(() => mongo.dispose());
  return () =>
    new MongoTickets({ clock: systemClock, turns: configurationOf(mongo.db).changeTurns });
}

/** Tickets of a key without competition. */
const alone = {
  take: async (key: string) => ({ key, number: 1 }),
  pass: async () => {},
};

/** A promise with its resolve function. */
function gate(): { opened: Promise<void>; open: () => void } {
  const { promise: opened, resolve: open } = Promise.withResolvers<void>();
  return { opened, open };
}

const isOverloaded = { code: 'POSTHORN_OVERLOADED', status: 503 };

test('changes of one key run one at a time, in order of arrival, across two processes', async (t) => {
  const tickets = await openTickets(t);
  const processes = [0, 1].map(() => new ChangeTurns({ clock: systemClock, tickets: tickets() }));
  const ran: number[][] = [[], []];
  let running = 0;
  const changes = Array.from({ length: 100 }, (_, i) => {
    const process = i % 2;
    const turns = processes[process] as ChangeTurns;
    return turns.run('k', async () => {
      assert.equal(++running, 1, 'one at a time');
      await new Promise((resolve) => setImmediate(resolve));
      running--;
      ran[process]?.push(i);
    });
  });
  await Promise.all(changes);
  for (const order of ran) {
    assert.equal(order.length, 50);
    assert.deepEqual(
      order,
      order.toSorted((a, b) => a - b),
    );
  }
});

test('a change of another process gets its turn while one process has many', async (t) => {
  const tickets = await openTickets(t);
  const [busy, calm] = [0, 1].map(
    () => new ChangeTurns({ clock: systemClock, tickets: tickets() }),
  ) as [ChangeTurns, ChangeTurns];
  const order: string[] = [];
  const started = gate();
  const many = Array.from({ length: 200 }, () =>
    busy.run('k', async () => {
      started.open();
      await new Promise((resolve) => setImmediate(resolve));
      order.push('busy');
    }),
  );
  await started.opened;
  await calm.run('k', async () => void order.push('calm'));
  await Promise.all(many);
  assert.ok(order.indexOf('calm') < 100, `came as number ${order.indexOf('calm')}`);
});

test('the turn of a process that has died is skipped', async (t) => {
  const tickets = await openTickets(t);
  await tickets().take('k');
  const changed = new ChangeTurns({ clock: systemClock, tickets: tickets() }).run(
    'k',
    async () => 'changed',
  );
  assert.equal(await changed, 'changed');
});

test('changes of other keys do not wait', async () => {
  const turns = new ChangeTurns({ clock: systemClock, tickets: alone });
  const { opened, open } = gate();
  const slow = turns.run('slow', () => opened);
  assert.equal(await turns.run('other', async () => 'done'), 'done');
  open();
  await slow;
});

test('rejects a change with POSTHORN_OVERLOADED when too many wait, and accepts one when there is room', async () => {
  const turns = new ChangeTurns({ clock: systemClock, tickets: alone });
  const { opened, open } = gate();
  const first = turns.run('k', () => opened);
  // The first one runs: the others wait.
  await new Promise((resolve) => setImmediate(resolve));
  const waiting = Array.from({ length: limits.changesWaitingMax }, () =>
    turns.run('k', async () => {}),
  );
  await assert.rejects(
    turns.run('k', async () => assert.fail('it ran')),
    isOverloaded,
  );
  open();
  await Promise.all([first, ...waiting]);
  assert.equal(await turns.run('k', async () => 'room'), 'room');
});

test('rejects a change with POSTHORN_OVERLOADED when its turn does not come in time, and does not run it', async () => {
  const turns = new ChangeTurns({ clock: systemClock, tickets: alone, deadlineMs: 50 });
  const { opened, open } = gate();
  let ran = 0;
  const first = turns.run('k', async () => {
    await opened;
    ran++;
  });
  const late = turns.run('k', async () => void ran++);
  await assert.rejects(late, isOverloaded);
  open();
  await first;
  await turns.run('k', async () => {});
  assert.equal(ran, 1);
});

test('a failed change fails alone, and a rejection by MongoDB fails all waiting changes', async () => {
  const turns = new ChangeTurns({ clock: systemClock, tickets: alone });
  const failed = turns.run('k', () => Promise.reject(new Error('of its own')));
  const next = turns.run('k', async () => 'next');
  await assert.rejects(failed, /of its own/);
  assert.equal(await next, 'next');
  const unavailable = { ...alone, take: () => Promise.reject(new Error('away')) };
  const without = new ChangeTurns({ clock: systemClock, tickets: unavailable });
  const both = [1, 2].map(() => without.run('k', async () => assert.fail('it ran')));
  for (const each of both) await assert.rejects(each, /away/);
  await waitUntil(() =>
    without
      .run('k', async () => {})
      .then(
        () => false,
        () => true,
      ),
  );
});
