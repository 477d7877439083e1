/** Whether the tenant's name servers or this machine caused a failed look-up. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { failure, judged, startNames } from './names.ts';

const DOWN = 'POSTHORN_RESOLVER_DOWN';
const AGAIN = 'EAI_AGAIN';

test('failing names of several tenants mean a broken resolver when the control name has no answer', async (t) => {
  const { control, end, find } = startNames(t);
  control.answers = false;
  const first = find('a', 'a.test');
  end('a.test', failure(AGAIN), []);
  // Alone, the failure may be caused by the name's own servers.
  assert.equal(await first, AGAIN);
  assert.equal(control.requested, 0);
  const second = find('b', 'b.test');
  end('b.test', failure(AGAIN), []);
  assert.equal(await second, DOWN);
  assert.equal(control.requested, 1);
});

test('failing names of several tenants are their own fault when the control name has an answer', async (t) => {
  const { end, find } = startNames(t);
  for (const [tenant, name] of [
    ['a', 'a.test'],
    ['b', 'b.test'],
    ['c', 'c.test'],
  ] as const) {
    const found = find(tenant, name);
    end(name, failure(AGAIN), []);
    assert.equal(await found, AGAIN);
  }
});

test('failing names of one tenant are its own fault, however many there are', async (t) => {
  const { control, end, find } = startNames(t);
  control.answers = false;
  for (let n = 0; n < 10; n++) {
    const found = find('a', `a${n}.test`);
    end(`a${n}.test`, failure(AGAIN), []);
    assert.equal(await found, AGAIN);
  }
  assert.equal(control.requested, 0);
});

test('a failing name that several tenants share is not a fault of the resolver', async (t) => {
  const { control, clock, end, find } = startNames(t);
  control.answers = false;
  for (const tenant of ['a', 'b', 'c']) {
    const found = find(tenant, 'shared.test');
    end('shared.test', failure(AGAIN), []);
    assert.equal(await found, AGAIN);
    clock.nowMs += 1000;
  }
  assert.equal(control.requested, 0);
});

test('a failure half a minute ago does not count together with another', async (t) => {
  const { control, clock, end, find } = startNames(t);
  control.answers = false;
  const first = find('a', 'a.test');
  end('a.test', failure(AGAIN), []);
  await first;
  clock.nowMs += 30_001;
  const second = find('b', 'b.test');
  end('b.test', failure(AGAIN), []);
  assert.equal(await second, AGAIN);
});

test('a name that does not exist counts as an answer, even while the resolver is down', async (t) => {
  const { control, end, find } = startNames(t);
  control.answers = false;
  for (const [tenant, name] of [
    ['a', 'a.test'],
    ['b', 'b.test'],
  ] as const) {
    const found = find(tenant, name);
    end(name, failure(AGAIN), []);
    await found;
  }
  const found = find('c', 'c.test');
  end('c.test', failure('ENOTFOUND'), []);
  assert.equal(await found, 'ENOTFOUND');
});

test('look-ups of several tenants without an answer start a control query before they fail', async (t) => {
  const { control, health, find } = startNames(t);
  control.answers = false;
  const waiting = [find('a', 'a.test'), find('b', 'b.test')];
  t.mock.timers.tick(1000);
  assert.equal(control.requested, 1);
  await judged();
  assert.equal(health.isDown, true);
  t.mock.timers.tick(14_000);
  assert.deepEqual(await Promise.all(waiting), [DOWN, DOWN]);
});

test('a resolver that answers the control name again is up', async (t) => {
  const { control, clock, health, end, find } = startNames(t);
  control.answers = false;
  const fail = (tenant: string, name: string): Promise<string> => {
    const found = find(tenant, name);
    end(name, failure(AGAIN), []);
    return found;
  };
  await fail('a', 'a.test');
  assert.equal(await fail('b', 'b.test'), DOWN);
  control.answers = true;
  clock.nowMs += 2000;
  assert.equal(await fail('c', 'c.test'), AGAIN);
  assert.equal(health.isDown, false);
});

test('an answer about a name is ignored when descriptors ran out during the look-up', async (t) => {
  const { clock, health, end, find } = startNames(t);
  const found = find('a', 'localhost');
  clock.nowMs += 5;
  health.noteFault('descriptors');
  end('localhost', failure('ENOTFOUND'), []);
  assert.equal(await found, 'EMFILE');
  clock.nowMs += 1000;
  const later = find('a', 'localhost');
  end('localhost', failure('ENOTFOUND'), []);
  assert.equal(await later, 'ENOTFOUND');
});
