import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import { systemClock } from '#infra/system-clock.ts';
import { EgressGuard } from '#domain/endpoint/egress.ts';
import { guardedDials } from '#infra/http/dial/guarded-connector.ts';
import { TIMEOUT_MS, at, failure, startNames } from './names.ts';

type Dial = (guard?: EgressGuard) => Promise<string>;
const loopback = new EgressGuard('127.0.0.0/8');

/** Dials of one tenant to one name, with control over their look-ups. */
async function startDials(t: TestContext): Promise<ReturnType<typeof startNames> & { dial: Dial }> {
  const server = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const names = startNames(t);
  const lookUpAddresses = names.names.of('acme');
  const dial: Dial = (guard = loopback) =>
    new Promise((resolve) => {
      const { connect } = guardedDials({
        clock: systemClock,
        guard,
        lookUpAddresses,
        timeoutMs: TIMEOUT_MS,
      })();
      const where = { hostname: 'shop.test', protocol: 'http:', port: String(port) };
      connect(where, (error, socket) => {
        socket?.destroy();
        resolve(error === null ? 'connected' : ((error as { code?: string }).code ?? 'error'));
      });
    });
  return { ...names, dial };
}

test('dials that wait for one name share one look-up, and the guard checks each dial', async (t) => {
  const { clock, begun, end, dial } = await startDials(t);
  const together = Array.from({ length: 10 }, () => dial());
  end('shop.test', null, at('127.0.0.1'));
  assert.deepEqual(new Set(await Promise.all(together)), new Set(['connected']));
  assert.equal(begun.length, 1);

  // The name has another address by now: the earlier one is not kept for longer than promised.
  clock.nowMs += 10_000;
  const later = [dial(), dial()];
  end('shop.test', null, at('10.0.0.1'));
  assert.deepEqual(await Promise.all(later), Array(2).fill('POSTHORN_FORBIDDEN_ADDRESS'));
  assert.equal(begun.length, 2);
});

test('the guard checks a cached address at each dial', async (t) => {
  const { clock, begun, end, dial } = await startDials(t);
  const first = dial();
  end('shop.test', null, at('127.0.0.1'));
  assert.equal(await first, 'connected');
  const strict = new EgressGuard('');
  assert.equal(await dial(strict), 'POSTHORN_FORBIDDEN_ADDRESS');
  assert.equal(await dial(), 'connected');
  assert.equal(begun.length, 1);

  // Also when a stale address is used because the resolver fails.
  clock.nowMs += 10_000;
  const failing = [dial(strict), dial()];
  end('shop.test', failure('EAI_AGAIN'), []);
  assert.deepEqual(await Promise.all(failing), ['POSTHORN_FORBIDDEN_ADDRESS', 'connected']);
});

test('a forbidden cached address stays forbidden until it expires and is looked up again', async (t) => {
  const { clock, begun, end, dial } = await startDials(t);
  const first = dial();
  end('shop.test', null, at('169.254.169.254'));
  assert.equal(await first, 'POSTHORN_FORBIDDEN_ADDRESS');
  assert.equal(await dial(), 'POSTHORN_FORBIDDEN_ADDRESS');
  assert.equal(begun.length, 1);
  clock.nowMs += 10_000;
  const later = dial();
  end('shop.test', null, at('127.0.0.1'));
  assert.equal(await later, 'connected');
});
