import assert from 'node:assert/strict';
import type { AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import { Registry } from 'prom-client';
import { PosthornError } from '#domain/errors.ts';
import { createApp } from '#infra/http/server/app.ts';
import { createLog } from '#infra/telemetry/log.ts';
import { ManualClock } from '#testkit/test-clock.ts';
import { waitUntil } from '#testkit/wait-until.ts';

const settings = { readTimeoutMs: 15_000, idleTimeoutMs: 72_000, writeTimeoutMs: 30_000 };
const NAME = 'posthorn_http_request_duration_seconds';

interface Series {
  labels: { method: string; route: string; status_class: string };
  value: number;
}

async function measuredApp(t: TestContext) {
  const registry = new Registry();
  const clock = new ManualClock();
  const app = createApp({ clock, settings, registry, log: createLog('silent') });
  app.get('/things/:id', (_request, reply) => {
    clock.advance(40);
    return reply.send({});
  });
  app.get('/away', () => {
    throw new PosthornError('POSTHORN_OVERLOADED');
  });
  const pending = Promise.withResolvers<void>();
  app.get('/slow', async () => {
    pending.resolve();
    await new Promise(() => undefined);
  });
  await app.listen({ port: 0, host: '127.0.0.1' });
  t.after(() => app.close());
  const { port } = app.server.address() as AddressInfo;
  const series = async (kind: '_count' | '_sum'): Promise<string[]> => {
    const metric = await registry.getSingleMetric(NAME)?.get();
    const values = (metric?.values ?? []) as unknown as (Series & { metricName: string })[];
    return values
      .filter(({ metricName }) => metricName === NAME + kind)
      .map(({ labels: { method, route, status_class }, value }) =>
        [method, route, status_class, value].join(' '),
      )
      .toSorted();
  };
  return { url: `http://127.0.0.1:${port}`, series, handling: pending.promise };
}

test('requests are measured by route pattern and class of status, and not by their paths', async (t) => {
  const { url, series } = await measuredApp(t);
  const ask = async (path: string, method = 'GET'): Promise<void> => {
    await (await fetch(url + path, { method })).text();
  };
  for (const path of ['/things/1', '/things/2?a=b', '/away', '/nothing/1', '/nothing/2']) {
    await ask(path);
  }
  await ask('/things/1', 'DELETE');
  await ask('/nothing', 'PURGE');
  await waitUntil(async () => (await series('_count')).join().includes('none none 4xx 4'));
  assert.deepEqual(await series('_count'), [
    'GET /away 5xx 1',
    'GET /things/:id 2xx 2',
    'none none 4xx 4',
  ]);
  assert.ok((await series('_sum')).includes('GET /things/:id 2xx 0.08'));
});

test('a request whose client disconnects before the answer is measured without a status', async (t) => {
  const { url, series, handling } = await measuredApp(t);
  const aborting = new AbortController();
  const requested = fetch(`${url}/slow`, { signal: aborting.signal });
  await handling;
  aborting.abort();
  await assert.rejects(requested, { name: 'AbortError' });
  await waitUntil(async () => (await series('_count')).join() === 'GET /slow none 1');
});
