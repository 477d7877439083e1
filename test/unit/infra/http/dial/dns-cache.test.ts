import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from '#domain/limits.ts';
import { TIMEOUT_MS, at, failure, startNames, judged } from './names.ts';

test('hanging names of a tenant do not delay other tenants, and continue when a look-up ends', async (t) => {
  const { running, begun, end, find } = startNames(t);
  const hanging = Array.from({ length: 40 }, (_, n) => find('a', `a${n}.test`));
  assert.deepEqual([...running.keys()], ['a0.test', 'a1.test', 'a2.test']);

  const other = find('b', 'b.test');
  assert.ok(running.has('b.test'));
  end('b.test', null, at('192.0.2.1'));
  assert.equal(await other, '192.0.2.1');

  for (let n = 0; n < 40; n++) end(`a${n}.test`, null, at(`192.0.2.${n}`));
  assert.deepEqual(
    await Promise.all(hanging),
    hanging.map((_, n) => `192.0.2.${n}`),
  );
  assert.equal(begun.length, 41);
});

test('a thread is counted until its look-up ends, even when no dial waits for it', async (t) => {
  const { begun, end, find } = startNames(t);
  const first = ['a0.test', 'a1.test', 'a2.test', 'a3.test'].map((name) => find('a', name));
  t.mock.timers.tick(TIMEOUT_MS);
  assert.deepEqual(await Promise.all(first), Array(4).fill('POSTHORN_NAME_TIMEOUT'));

  void find('a', 'a4.test');
  assert.equal(begun.length, 3);
  // No dial waits for a3 any longer: its turn goes to the next name.
  end('a0.test', failure('EAI_AGAIN'), []);
  assert.deepEqual(begun, ['a0.test', 'a1.test', 'a2.test', 'a4.test']);
  // A hanging look-up is not started a second time.
  void find('b', 'a1.test');
  assert.equal(begun.length, 4);
});

test('a name in several queues is looked up for the first tenant with a free slot', async (t) => {
  const { begun, end, find } = startNames(t);
  for (let n = 0; n < 3; n++) void find('a', `a${n}.test`);
  const slowly = find('a', 'shared.test');
  const quickly = find('b', 'shared.test');
  // Its turn comes in the other queue too, during its look-up, and once it is known.
  end('a0.test', failure('EAI_AGAIN'), []);
  void find('c', 'shared.test');
  assert.deepEqual(begun, ['a0.test', 'a1.test', 'a2.test', 'shared.test']);
  end('shared.test', null, at('192.0.2.1'));
  assert.deepEqual(await Promise.all([slowly, quickly]), ['192.0.2.1', '192.0.2.1']);
});

test('an answer is kept for 10 s, and "not found" for less than the shortest retry delay', async (t) => {
  const { clock, outcomes, begun, end, find } = startNames(t);
  const first = find('a', 'shop.test');
  end('shop.test', null, at('192.0.2.1'));
  assert.equal(await first, '192.0.2.1');
  clock.nowMs = 9999;
  assert.equal(await find('b', 'shop.test'), '192.0.2.1');
  assert.equal(begun.length, 1);

  clock.nowMs = 10_000;
  const gone = find('a', 'shop.test');
  end('shop.test', failure('ENOTFOUND'), []);
  assert.equal(await gone, 'ENOTFOUND');
  clock.nowMs += 799;
  assert.equal(await find('a', 'shop.test'), 'ENOTFOUND');
  assert.equal(begun.length, 2);
  clock.nowMs += 1;
  const again = find('a', 'shop.test');
  end('shop.test', null, at('192.0.2.2'));
  assert.equal(await again, '192.0.2.2');
  assert.deepEqual(outcomes, ['found', 'not_found', 'found']);
});

test('the last address is used for 5 minutes while the resolver fails', async (t) => {
  const { clock, outcomes, end, find } = startNames(t);
  const ask = (code: string): Promise<string> => {
    const found = find('a', 'shop.test');
    end('shop.test', failure(code), []);
    return found;
  };
  const first = find('a', 'shop.test');
  end('shop.test', null, at('192.0.2.1'));
  await first;
  clock.nowMs = 11_000;
  assert.equal(await ask('EAI_AGAIN'), '192.0.2.1');
  assert.equal(await find('a', 'shop.test'), '192.0.2.1');
  clock.nowMs = 299_999;
  assert.equal(await ask('EAI_FAIL'), '192.0.2.1');
  clock.nowMs = 300_800;
  assert.equal(await ask('EAI_AGAIN'), 'EAI_AGAIN');
  assert.deepEqual(outcomes, ['found', 'failed', 'failed', 'failed']);
});

test('no stale address is used when the name does not exist any more', async (t) => {
  const { clock, end, find } = startNames(t);
  for (const [error, expected] of [
    [null, '192.0.2.1'],
    [failure('ENOTFOUND'), 'ENOTFOUND'],
    [failure('EAI_AGAIN'), 'EAI_AGAIN'],
  ] as const) {
    const found = find('a', 'shop.test');
    end('shop.test', error, at('192.0.2.1'));
    assert.equal(await found, expected);
    clock.nowMs += 10_000;
  }
});

test('the last address is used after 1.8 s while the resolver is late', async (t) => {
  const { clock, running, begun, end, find } = startNames(t);
  const pass = (ms: number): void => {
    clock.nowMs += ms;
    t.mock.timers.tick(ms);
  };
  const first = find('a', 'shop.test');
  end('shop.test', null, at('192.0.2.1'));
  await first;
  pass(10_000);
  const late = find('a', 'shop.test');
  pass(1800);
  assert.equal(await late, '192.0.2.1');
  // The next dial does not wait as long again.
  const next = find('b', 'shop.test');
  pass(0);
  assert.equal(await next, '192.0.2.1');
  assert.equal(begun.length, 2);

  // A late answer is used from then on.
  assert.ok(running.has('shop.test'));
  end('shop.test', null, at('192.0.2.2'));
  assert.equal(await find('a', 'shop.test'), '192.0.2.2');
});

test('a name with a stale address gets its turn even when no dial waits any longer', async (t) => {
  const { clock, begun, end, find } = startNames(t);
  const first = find('a', 'shop.test');
  end('shop.test', null, at('192.0.2.1'));
  await first;
  clock.nowMs += 10_000;
  for (let n = 0; n < 3; n++) void find('a', `a${n}.test`);
  const standsIn = find('a', 'shop.test');
  t.mock.timers.tick(1800);
  assert.equal(await standsIn, '192.0.2.1');
  end('a0.test', failure('EAI_AGAIN'), []);
  assert.equal(begun.at(-1), 'shop.test');
});

test('slow names have their own slots', async (t) => {
  const { clock, running, begun, end, find } = startNames(t);
  const tenants = Array.from({ length: 12 }, (_, n) => `t${n}`);
  const askAll = (): void => {
    for (const tenant of tenants) void find(tenant, `${tenant}.test`);
  };
  askAll();
  assert.equal(running.size, 10);
  clock.nowMs += 2001;
  for (const tenant of tenants.slice(0, 10)) end(`${tenant}.test`, failure('EAI_AGAIN'), []);
  clock.nowMs += 2001;
  for (const tenant of tenants.slice(10)) end(`${tenant}.test`, failure('EAI_AGAIN'), []);
  await judged();

  // All twelve were slow: four are looked up concurrently, and a new name is not delayed.
  clock.nowMs += 1000;
  begun.length = 0;
  askAll();
  assert.equal(begun.length, 4);
  const fresh = find('new', 'new.test');
  end('new.test', null, at('192.0.2.1'));
  assert.equal(await fresh, '192.0.2.1');

  // Their turns come although every caller has left; a name that is fast again is treated like
  // others.
  t.mock.timers.tick(TIMEOUT_MS);
  for (const name of begun.filter((hostname) => hostname !== 'new.test')) {
    end(name, null, at('192.0.2.2'));
  }
  assert.equal(running.size, 4);
  assert.equal(begun.length, 9);
  for (let n = 0; n < 12; n++) end(`t${n}.test`, null, at('192.0.2.2'));
  clock.nowMs += 10_000;
  begun.length = 0;
  askAll();
  assert.equal(begun.length, 10);
});

/** One tenant's share, where others have few names. */
const SHARE = Math.floor(limits.namesKeptMax * 0.8);

test('a tenant keeps as many names as its share allows, and loses the least recently used first', async (t) => {
  const { running, begun, end, find } = startNames(t);
  const ask = async (hostname: string): Promise<void> => {
    const found = find('a', hostname);
    end(hostname, null, at('192.0.2.1'));
    await found;
  };
  // A dial waits for it all the time, so it stays.
  const requested = find('b', 'asked.test');
  for (let n = 1; n <= SHARE; n++) await ask(`a${n}.test`);
  await find('a', 'a1.test');
  await ask('one-more.test');
  begun.length = 0;
  await find('a', 'a1.test');
  assert.deepEqual(begun, []);
  await ask('a2.test');
  assert.deepEqual(begun, ['a2.test']);
  assert.deepEqual([...running.keys()], ['asked.test']);
  end('asked.test', null, at('192.0.2.9'));
  assert.equal(await requested, '192.0.2.9');
});

test('a tenant asks for no more names concurrently than its share, and other tenants ask for theirs', async (t) => {
  const { find, end } = startNames(t);
  const waiting = Array.from({ length: SHARE }, (_, n) => find('a', `a${n}.test`));
  assert.equal(await find('a', 'more.test'), 'POSTHORN_NAMES_FULL');
  const other = find('b', 'b.test');
  end('b.test', null, at('192.0.2.1'));
  assert.equal(await other, '192.0.2.1');
  t.mock.timers.tick(TIMEOUT_MS);
  assert.equal(new Set(await Promise.all(waiting)).size, 1);
});

test('names that no dial waits for any longer make room for those of others', async (t) => {
  const { running, end, find } = startNames(t);
  const given = Array.from({ length: SHARE }, (_, n) => find('a', `a${n}.test`));
  t.mock.timers.tick(TIMEOUT_MS);
  await Promise.all(given);
  const others = Array.from({ length: 3 }, (_, n) => find('b', `b${n}.test`));
  assert.deepEqual([...running.keys()].slice(3), ['b0.test', 'b1.test']);
  for (let n = 0; n < 3; n++) end(`b${n}.test`, null, at('192.0.2.1'));
  assert.deepEqual(await Promise.all(others), Array(3).fill('192.0.2.1'));
});

test('a name that was dropped from a queue is looked up for its next turn only', async (t) => {
  const { clock, begun, end, find } = startNames(t);
  const askBoth = () => [find('a', 'held.test'), find('a', 'left.test')];
  const ask = async (hostname: string): Promise<void> => {
    const found = find('a', hostname);
    end(hostname, null, at('192.0.2.1'));
    await found;
  };
  const first = askBoth();
  clock.nowMs = 2001;
  for (const name of ['held', 'left']) end(`${name}.test`, failure('EAI_AGAIN'), []);
  await Promise.all(first);
  clock.nowMs = 3000;
  const second = askBoth();
  t.mock.timers.tick(TIMEOUT_MS);
  await Promise.all(second);
  for (let n = 1; n < SHARE; n++) await ask(`a${n}.test`);

  begun.length = 0;
  void find('a', 'left.test');
  end('held.test', failure('EAI_AGAIN'), []);
  assert.deepEqual(begun, ['left.test']);
});

test('a slow name that is being looked up is not queued for another tenant that asks', async (t) => {
  const { clock, begun, end, find } = startNames(t);
  const slow = ['t0', 't1', 't2', 't3', 't4'];
  for (const tenant of slow) void find(tenant, `${tenant}.test`);
  clock.nowMs += 2001;
  for (const tenant of slow) end(`${tenant}.test`, failure('EAI_AGAIN'), []);
  await judged();
  clock.nowMs += 1000;
  begun.length = 0;
  for (const tenant of slow) void find(tenant, `${tenant}.test`);
  void find('other', 't0.test');
  end('t0.test', failure('EAI_AGAIN'), []);
  await judged();
  clock.nowMs += 1000;
  end('t1.test', failure('EAI_AGAIN'), []);
  assert.deepEqual(begun, ['t0.test', 't1.test', 't2.test', 't3.test', 't4.test']);
});
