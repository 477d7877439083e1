import assert from 'node:assert/strict';
import dns, { type LookupAddress } from 'node:dns';
import { once } from 'node:events';
import { syncBuiltinESMExports } from 'node:module';
import { type AddressInfo, createServer } from 'node:net';
import { test } from 'node:test';
import { EgressGuard } from '#domain/egress.ts';
import { guardedConnector } from '#infra/http/guarded-connector.ts';

type Answer = (error: Error | null, addresses: LookupAddress[]) => void;

test('dials that wait for one name make one look-up, and each is judged', async (t) => {
  const server = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => void server.close());
  const answers: Answer[] = [];
  t.mock.method(dns, 'lookup', (_name: string, _options: object, answer: Answer) => {
    answers.push(answer);
  });
  syncBuiltinESMExports();
  t.after(() => {
    t.mock.restoreAll();
    syncBuiltinESMExports();
  });
  const { port } = server.address() as AddressInfo;
  const connect = guardedConnector(new EgressGuard('127.0.0.0/8'), 10_000);
  const dial = (): Promise<string> =>
    new Promise((resolve) => {
      const where = { hostname: 'shop.test', protocol: 'http:', port: String(port) };
      connect(where, (error, socket) => {
        socket?.destroy();
        resolve(error === null ? 'connected' : ((error as { code?: string }).code ?? 'error'));
      });
    });

  const together = Array.from({ length: 10 }, dial);
  assert.equal(answers.length, 1);
  answers[0]?.(null, [{ address: '127.0.0.1', family: 4 }]);
  assert.deepEqual(new Set(await Promise.all(together)), new Set(['connected']));

  // The name leads elsewhere by now: what was found before is not kept.
  const later = [dial(), dial()];
  assert.equal(answers.length, 2);
  answers[1]?.(null, [{ address: '10.0.0.1', family: 4 }]);
  assert.deepEqual(await Promise.all(later), Array(2).fill('POSTHORN_FORBIDDEN_ADDRESS'));
});
