import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '#infra/system-clock.ts';
import { ProbeReceiver } from '#domain/canary.ts';
import { EgressGuard } from '#domain/endpoint/egress.ts';
import { isOutOfDescriptors } from '#infra/http/dial/local-fault.ts';
import { ResolverHealth } from '#infra/http/dial/resolver-health.ts';
import { type Found, DnsCache, lookUpBySystem } from '#infra/http/dial/dns-cache.ts';
import type { SendResult } from '#infra/http/client/sender.ts';
import { SenderPool } from '#src/delivery/attempt/sender-pool.ts';
import { WebhookReceiver } from '#testkit/webhook-receiver.ts';

const request = (signal: AbortSignal) => ({
  path: '/hook',
  headers: ['content-type', 'application/json'],
  body: Buffer.from('{}'),
  signal,
});

test("40 hanging names of a tenant do not delay another tenant's new name, and are reported", async (t) => {
  const receiver = await WebhookReceiver.start();
  t.after(() => receiver.close());
  receiver.otherwise({ status: 204 });
  const hanging = new Map<string, Found>();
  const names = new DnsCache({
    lookUp: (hostname, found) => {
      if (hostname.startsWith('hangs')) hanging.set(hostname, found);
      else lookUpBySystem('127.0.0.1', found);
    },
    now: () => performance.now(),
    onLookup: () => undefined,
    health: new ResolverHealth({
      askControl: () => Promise.resolve(true),
      isOutOfDescriptors,
      now: () => performance.now(),
    }),
  });
  const guard = new EgressGuard('127.0.0.0/8');
  const isResolverDown = (): boolean => false;
  const probeReceiver = new ProbeReceiver(undefined);
  const senders = new SenderPool({
    clock: systemClock,
    guard,
    probeReceiver,
    names,
    isResolverDown,
    timeoutMs: 10_000,
  });
  t.after(() => senders.close());
  const send = (tenant: string, hostname: string, signal: AbortSignal): Promise<SendResult> => {
    const destination = { origin: `http://${hostname}:${receiver.port}`, certificate: undefined };
    return senders.acquire(tenant, destination).send(request(signal));
  };

  const limit = new AbortController();
  const never = new AbortController().signal;
  const held = Array.from({ length: 40 }, (_, n) => send('a', `hangs-${n}.test`, limit.signal));
  const other = await send('b', 'shop.test', never);
  assert.deepEqual(other.outcome, { ok: true, status: 204 });
  assert.equal(hanging.size, 3);
  const own = send('a', 'fine.test', never);

  // Their time limit passes and the resolver gives up: the tenant's own good name gets its turn.
  limit.abort();
  for (const { outcome } of await Promise.all(held)) {
    assert.ok(!outcome.ok);
    assert.equal(outcome.kind, 'dns');
    assert.equal(outcome.detail, 'the name was not looked up in time');
  }
  const answer = Object.assign(new Error('getaddrinfo EAI_AGAIN'), { code: 'EAI_AGAIN' });
  while (hanging.size > 0) {
    for (const [hostname, found] of hanging) {
      hanging.delete(hostname);
      found(answer, []);
    }
  }
  assert.deepEqual((await own).outcome, { ok: true, status: 204 });
});
