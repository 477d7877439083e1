import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '#infra/system-clock.ts';
import { PosthornError } from '#domain/errors.ts';
import { createApp } from '#infra/http/server/app.ts';
import { createLog } from '#infra/telemetry/log.ts';
import { TenantConcurrencyLimiter } from '#src/ingress/fairness/tenant-concurrency-limiter.ts';
import { type IngressRoutesDeps, registerIngressRoutes } from '#src/ingress/http/routes.ts';

test('a request without a key for a tenant uses none of its slots', async (t) => {
  const log = createLog('silent');
  const app = createApp({
    clock: systemClock,
    settings: {
      readTimeoutMs: 15_000,
      idleTimeoutMs: 72_000,
      writeTimeoutMs: 30_000,
    },
    log,
  });
  t.after(() => app.close());
  const limiter = new TenantConcurrencyLimiter({
    limit: { recordArrival: () => undefined, current: () => 1 },
  });
  const visitors: string[] = [];
  t.mock.method(limiter, 'enter', (tenant: string) => void visitors.push(tenant));
  const findCaller: IngressRoutesDeps['findCaller'] = (authorization) => {
    if (authorization === 'Bearer of acme') {
      return { keyId: 'key_1', scope: 'producer', tenant: 'acme' };
    }
    throw new PosthornError('POSTHORN_KEY_INVALID');
  };
  registerIngressRoutes(app, {
    findCaller,
    limiter,
    log,
    eventBytesMax: 1024,
  } as Partial<IngressRoutesDeps> as IngressRoutesDeps);
  const post = async (tenant: string, authorization: string) => {
    const url = `/v1/tenants/${tenant}/events`;
    return (await app.inject({ method: 'POST', url, headers: { authorization } })).statusCode;
  };
  assert.equal(await post('acme', 'Bearer wrong'), 401);
  assert.equal(await post('other', 'Bearer of acme'), 403);
  assert.deepEqual(visitors, []);
});
