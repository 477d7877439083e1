/** A system whose storage fills up: publishing stops, deliveries do not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { storageMarks } from '#domain/storage-shares.ts';
import { startSystem } from '#testkit/system.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { WebhookReceiver } from '#testkit/webhook-receiver.ts';
import { streams } from '#wire/subjects.ts';

const BYTES_MAX = 64 * 1024 * 1024;
/** Below the size at which deliveries go by reference. */
const DATA = 'x'.repeat(15_000);
const BATCH = 200;
const WAIT = { deadlineMs: 40_000, intervalMs: 100 };

test(
  'events are refused before the broker is full, accepted ones are delivered and retried, and publishing resumes',
  { timeout: 400_000 },
  async (t) => {
    const receiver = await WebhookReceiver.start();
    const system = await startSystem(
      [['ingress', 'router', 'delivery', 'control']],
      { POSTHORN_SHARDS: '1', POSTHORN_JETSTREAM_BYTES_MAX: String(BYTES_MAX) },
      { fileStoreBytesMax: BYTES_MAX },
    );
    const nc = await connect({ servers: system.natsUrl });
    t.after(async () => {
      await nc.close();
      await system.stop();
      await receiver.close();
    });
    const jsm = await jetstreamManager(nc);
    const api = async (method: string, path: string, body?: unknown): Promise<unknown> => {
      const answer = await system.api(method, `/v1/tenants/acme${path}`, body);
      assert.ok(answer.status < 300, JSON.stringify(answer.body));
      return answer.body;
    };
    const publish = (event: object) => system.api('POST', '/v1/tenants/acme/events', event);
    await api('PUT', '', {});
    // It fails until the test says otherwise, and is tried again every two seconds.
    let works = false;
    receiver.on('/failing', () => ({ status: works ? 200 : 500 }));
    await api('POST', '/endpoints', {
      url: receiver.url('/failing'),
      event_types: ['retried'],
      retry: { delays_seconds: Array.from({ length: 50 }, () => 2) },
    });
    const paused = (await api('POST', '/endpoints', {
      url: receiver.url('/paused'),
      event_types: ['held'],
    })) as { id: string };
    await api('PATCH', `/endpoints/${paused.id}`, { status: 'paused' });
    assert.equal((await publish({ type: 'retried', data: {} })).status, 202);

    // Each event is stored twice: in its stream, and as a held delivery.
    const events = Array.from({ length: BATCH }, () => ({ type: 'held', data: DATA }));
    const refused = await waitUntil(async () => {
      const answer = await system.api('POST', '/v1/tenants/acme/events/batch', { events });
      return answer.status === 503 ? answer : undefined;
    }, WAIT);
    const { results } = refused.body as { results: { error?: { code: string } }[] };
    assert.ok(results.every(({ error }) => error?.code === 'POSTHORN_STORAGE_FULL'));
    const single = await publish({ type: 'held', data: DATA });
    assert.equal(single.status, 503);
    assert.equal((single.body as { code: string }).code, 'POSTHORN_STORAGE_FULL');
    const { storage } = await jsm.getAccountInfo();
    assert.ok(storage >= BYTES_MAX * storageMarks.acceptBelow && storage < BYTES_MAX, `${storage}`);

    // Retries are stored and sent while events are refused, and the delivery ends.
    const before = receiver.requests.length;
    await waitUntil(() => receiver.requests.length >= before + 3, WAIT);
    works = true;
    await waitUntil(async () => {
      const { data } = (await api('GET', '/deliveries?status=delivered')) as { data: unknown[] };
      return data.length === 1;
    }, WAIT);
    assert.equal((await publish({ type: 'held', data: DATA })).status, 503);

    // Held deliveries are cancelled with their endpoint, and there is room again.
    await api('DELETE', `/endpoints/${paused.id}`);
    await waitUntil(async () => {
      return (await publish({ type: 'retried', data: {} })).status === 202 || undefined;
    }, WAIT);
    const left = await jsm.streams.info(streams.events(0));
    assert.equal(left.state.first_seq, 1, 'events of the last hour are kept');
  },
);
