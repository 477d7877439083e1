/** Requests over NATS take turns like requests over HTTP. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { NatsConnection } from '@nats-io/nats-core';
import { systemClock } from '#infra/system-clock.ts';
import { limits } from '#domain/limits.ts';
import type { AcceptDone } from '#src/ingress/accept/accepted.ts';
import { TenantConcurrencyLimiter } from '#src/ingress/fairness/tenant-concurrency-limiter.ts';
import { JsonTurns } from '#infra/json-turns.ts';
import { NatsService } from '#src/ingress/nats/nats-service.ts';
import { rateLimitsAlone } from '#testkit/rate-limits-alone.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import type { TenantSnapshot } from '#wire/config-snapshot.ts';
import { startNatsCore } from '../../nats-core.ts';

interface Offered {
  tenant: string;
  done: AcceptDone;
}

async function start(
  t: TestContext,
  activeMax: number,
): Promise<{ producer: NatsConnection; offered: Offered[]; store: (offer: Offered) => void }> {
  const core = await startNatsCore(t);
  const offered: Offered[] = [];
  const tenantOf = (id: string): TenantSnapshot => {
    return { v: 1, id, rev: 1, weight: 1, endpoints: [], subscriptions: [] };
  };
  const service = new NatsService({
    rates: rateLimitsAlone(),
    clock: systemClock,
    keys: undefined,
    nc: core.nc,
    accept: {
      accept: (tenant, _input, _id, _wait, done) => void offered.push({ tenant: tenant.id, done }),
    },
    results: { refused: () => undefined },
    limiter: new TenantConcurrencyLimiter({
      limit: { recordArrival: () => undefined, current: () => activeMax },
    }),
    rejections: { add: () => assert.fail('every request has an inbox') },
    tenant: tenantOf,
    lookUpTenant: async (id) => tenantOf(id),
    turns: new JsonTurns(),
    eventBytesMax: 1024,
    log: core.log,
  });
  t.after(() => service.stop(1000));
  await service.start();
  const store = ({ done }: Offered): void => done(undefined, { id: 'e', replayed: false });
  return { producer: await core.connect(), offered, store };
}

const request = (producer: NatsConnection, tenant: string): Promise<unknown> =>
  producer.request(`in.${tenant}.a.b`, '1', { timeout: 20_000 }).then((reply) => reply.json());

test('requests of a tenant wait for each other and delay no other tenant', async (t) => {
  const { producer, offered, store } = await start(t, 1);
  const noisy = [1, 2, 3].map(() => request(producer, 'noisy'));
  const quiet = request(producer, 'quiet');
  await waitUntil(() => offered.length === 2);
  assert.deepEqual(
    offered.map(({ tenant }) => tenant),
    ['noisy', 'quiet'],
  );
  for (const offer of offered.splice(0)) store(offer);
  assert.deepEqual(await quiet, { id: 'e', status: 'accepted' });
  for (let left = 2; left > 0; left--) {
    await waitUntil(() => offered.length === 1);
    store(offered.pop() as Offered);
  }
  assert.equal((await Promise.all(noisy)).length, 3);
});

test('a tenant that floods is rejected while others have room', async (t) => {
  const { producer, offered } = await start(t, Number.POSITIVE_INFINITY);
  const many = limits.natsRequestsPerTenantMax;
  for (let n = 0; n < many; n++) producer.publish('in.noisy.a.b', '1', { reply: '_INBOX.nobody' });
  await waitUntil(() => offered.length === many);
  const refused = (await request(producer, 'noisy')) as { code: string };
  assert.equal(refused.code, 'POSTHORN_OVERLOADED');
  const quiet = request(producer, 'quiet');
  await waitUntil(() => offered.length === many + 1);
  for (const { done } of offered.splice(0)) done(undefined, { id: 'e', replayed: false });
  assert.deepEqual(await quiet, { id: 'e', status: 'accepted' });
  const after = request(producer, 'noisy');
  await waitUntil(() => offered.length === 1);
  for (const { done } of offered.splice(0)) done(undefined, { id: 'f', replayed: false });
  assert.deepEqual(await after, { id: 'f', status: 'accepted' });
});
