/** Delivery of large payloads, inline or as a link, and the handling of lost ones (IN-12). */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import type { DeliverySettings } from '#config/sections.ts';
import { Webhook } from 'standardwebhooks';
import type { ReceivedRequest } from '#testkit/webhook-receiver.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { decodeDeadLetterFrame } from '#wire/frames/dead-letter-frame.ts';
import { type PayloadRef, decodeEventFrame } from '#wire/frames/event-frame.ts';
import { Worker } from '../worker.ts';

const PUBLIC = { publicUrl: 'https://p.example', payloadLinkMs: 600_000 };
let payloads = 0;

async function put(
  worker: Worker,
  data: string | Buffer,
  contentType = 'application/json',
): Promise<PayloadRef> {
  const bytes = Buffer.from(data);
  const key = `acme/pay_${String(payloads++).padStart(26, '0')}`;
  await worker.core.payloads.put(key, bytes, contentType);
  return { key, size: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
}

function large(payload: PayloadRef, more: object = {}) {
  return { data: '', head: { payload, ...more } };
}

/** The body, after a check of the signature over its bytes. */
function verified(worker: Worker, { body, headers }: ReceivedRequest): string {
  new Webhook(worker.secret).verify(body.toString(), headers);
  return body.toString();
}

interface Link {
  data_url: string;
  expires_at: string;
  size: number;
  sha256: string;
  content_type: string;
}

function assertLink(worker: Worker, url: string, expiresAt: string, { key }: PayloadRef): void {
  const { origin, pathname, searchParams } = new URL(url);
  assert.equal(`${origin}${pathname}`, `https://p.example/v1/payloads/${key}`);
  const expires = searchParams.get('expires') as string;
  assert.equal(new Date(Number(expires) * 1000).toISOString(), expiresAt);
  const signature = searchParams.get('signature') as string;
  assert.equal(worker.links.check(key, expires, signature, Date.now() + 590_000), 'valid');
  assert.equal(worker.links.check(key, expires, signature, Date.now() + 601_000), 'expired');
}

test('the receiver gets a large payload inline in every format', async (t) => {
  const worker = await Worker.start(t);
  const data = `{ "n":12345678901234567890, "x":"${'x'.repeat(3_000_000)}" }`;
  const ref = await put(worker, data);
  for (const format of [
    'standard',
    'data',
    'cloudevents-structured',
    'cloudevents-binary',
  ] as const) {
    worker.endpoint('acme', format, { format });
    await worker.publishDelivery('acme', format, large(ref));
    const [request] = await worker.receiver.waitFor(1, `/acme/${format}`);
    assert.ok(request);
    const body = verified(worker, request);
    assert.ok(format.endsWith('y') || format === 'data' ? body === data : body.includes(data));
    assert.equal(request.headers['posthorn-payload'], undefined);
  }
  const image = randomBytes(100_000);
  const png = { kind: 'binary', contentType: 'image/png' } as const;
  await worker.publishDelivery('acme', 'data', large(await put(worker, image, 'image/png'), png));
  const [, request] = await worker.receiver.waitFor(2, '/acme/data');
  assert.ok(request);
  assert.ok(request.body.equals(image));
  assert.equal(request.headers['content-type'], 'image/png');
  await worker.waitUntilEmpty();
});

test('an endpoint configured for links gets one in place of the data in every format', async (t) => {
  const worker = await Worker.start(t, { settings: PUBLIC });
  const ref = await put(worker, '"large"');
  const { size, sha256 } = ref;
  const receive = async (format: 'standard' | 'data') => {
    worker.endpoint('acme', format, { format, payload: 'url' });
    await worker.publishDelivery('acme', format, large(ref));
    const [request] = await worker.receiver.waitFor(1, `/acme/${format}`);
    assert.ok(request);
    assert.equal(request.headers['posthorn-payload'], 'url');
    return JSON.parse(verified(worker, request)) as Record<string, unknown>;
  };
  for (const format of ['standard', 'data'] as const) {
    const { data_url, expires_at, ...rest } = await receive(format);
    assertLink(worker, data_url as string, expires_at as string, ref);
    const { type, timestamp, ...facts } = rest;
    assert.deepEqual(facts, { size, sha256, content_type: 'application/json' });
    assert.equal(type, format === 'standard' ? 'order.created' : undefined);
    assert.equal(timestamp === undefined, format === 'data');
  }
});

test('CloudEvents carry the link in the attribute dataref', async (t) => {
  const worker = await Worker.start(t, { settings: PUBLIC });
  const ref = await put(worker, '"large"');
  for (const format of ['cloudevents-structured', 'cloudevents-binary'] as const) {
    worker.endpoint('acme', format, { format, payload: 'url' });
    await worker.publishDelivery(
      'acme',
      format,
      large(ref, { contentType: 'application/json', ext: { region: 'eu', dataref: 'theirs' } }),
    );
  }
  const [structured] = await worker.receiver.waitFor(1, '/acme/cloudevents-structured');
  const event = JSON.parse(verified(worker, structured as ReceivedRequest)) as Record<
    string,
    string
  >;
  assert.ok(!('data' in event));
  assert.equal(event['region'], 'eu');
  assert.equal(event['datacontenttype'], 'application/json');
  assert.equal(event['datarefsize'], String(ref.size));
  assert.equal(event['datarefsha256'], ref.sha256);
  assertLink(worker, event['dataref'] as string, event['datarefexpires'] as string, ref);
  const [binary] = await worker.receiver.waitFor(1, '/acme/cloudevents-binary');
  assert.equal(verified(worker, binary as ReceivedRequest), '');
  const { headers } = binary as ReceivedRequest;
  assertLink(worker, headers['ce-dataref'] as string, headers['ce-datarefexpires'] as string, ref);
});

test("a payload above the endpoint's limit is sent as a link, and one up to it inline", async (t) => {
  const worker = await Worker.start(t, { settings: PUBLIC });
  const ref = await put(worker, '"large"');
  worker.endpoint('acme', 'at', { payloadInlineMaxBytes: ref.size });
  worker.endpoint('acme', 'under', { payloadInlineMaxBytes: ref.size - 1 });
  await worker.publishDelivery('acme', 'at', large(ref));
  await worker.publishDelivery('acme', 'under', large(ref));
  const [at] = await worker.receiver.waitFor(1, '/acme/at');
  assert.match(verified(worker, at as ReceivedRequest), /"data":"large"/);
  const [under] = await worker.receiver.waitFor(1, '/acme/under');
  assert.match(verified(worker, under as ReceivedRequest), /"data_url":"https/);
});

test('no link is sent for small events, or without a public URL', async (t) => {
  const worker = await Worker.start(t);
  worker.endpoint('acme', 'ep', { payload: 'url', payloadInlineMaxBytes: 1 });
  await worker.publishDelivery('acme', 'ep', { data: '"small"' });
  await worker.publishDelivery('acme', 'ep', large(await put(worker, '"large"')));
  const requests = await worker.receiver.waitFor(2, '/acme/ep');
  const bodies = requests.map((request) => verified(worker, request));
  assert.ok(bodies.some((body) => body.endsWith('"data":"small"}')));
  assert.ok(bodies.some((body) => body.endsWith('"data":"large"}')));
});

test('each attempt has its own link', async (t) => {
  const settings = { ...PUBLIC, payloadLinkMs: 60_000 };
  const policy = { delaysSeconds: [1.2], finalStatuses: [], retryAfterMaxMs: 0 };
  const worker = await Worker.start(t, { settings, retryPolicy: policy });
  worker.endpoint('acme', 'ep', { payload: 'url' });
  worker.receiver.on('/acme/ep', (_request, nth) => ({ status: nth === 1 ? 500 : 200 }));
  await worker.publishDelivery('acme', 'ep', large(await put(worker, '"large"')));
  const requests = await worker.receiver.waitFor(2, '/acme/ep');
  const [first, second] = requests.map(({ body }) => JSON.parse(body.toString()) as Link);
  assert.notEqual(first?.data_url, second?.data_url);
  assert.ok((first?.expires_at ?? '') < (second?.expires_at ?? ''));
});

test('a link does not outlive the payload', async (t) => {
  const settings = { ...PUBLIC, eventRetentionMs: 3_600_000 };
  const worker = await Worker.start(t, { settings });
  worker.endpoint('acme', 'ep', { payload: 'url' });
  const acceptedMs = Math.floor((Date.now() - 3500_000) / 1000) * 1000;
  await worker.publishDelivery('acme', 'ep', large(await put(worker, '1'), { acceptedMs }));
  const [request] = await worker.receiver.waitFor(1, '/acme/ep');
  const { expires_at } = JSON.parse((request as ReceivedRequest).body.toString()) as Link;
  assert.equal(Date.parse(expires_at), acceptedMs + 3600_000);
});

async function deadLetterReason(
  t: TestContext,
  options: { settings?: Partial<DeliverySettings>; harm: (worker: Worker) => Promise<PayloadRef> },
): Promise<string> {
  const worker = await Worker.start(t, { settings: options.settings ?? {} });
  worker.endpoint('acme', 'ep', options.settings === undefined ? {} : { payload: 'url' });
  const ref = await options.harm(worker);
  const { delivery } = await worker.publishDelivery('acme', 'ep', large(ref));
  const record = (await worker.recordsUntil(delivery.id, 'failed')).at(-1);
  const [letter, ...more] = await worker.deadLetters();
  assert.deepEqual(more, []);
  const { head, eventBytes } = decodeDeadLetterFrame(letter?.data as Buffer);
  assert.equal(head.reason, record?.reason);
  assert.deepEqual(decodeEventFrame(eventBytes).head.payload, ref);
  assert.equal(worker.receiver.requests.length, 0);
  await worker.waitUntilEmpty();
  return head.reason;
}

const GONE: PayloadRef = { key: 'acme/pay_gone', size: 3, sha256: '0'.repeat(64) };

test('a missing payload causes a dead letter immediately, inline or as a link', async (t) => {
  const harm = async () => GONE;
  assert.equal(await deadLetterReason(t, { harm }), 'payload_missing');
  assert.equal(await deadLetterReason(t, { settings: PUBLIC, harm }), 'payload_missing');
});

test('a damaged payload causes a dead letter', async (t) => {
  const harm = async (worker: Worker): Promise<PayloadRef> => {
    const ref = await put(worker, '"good"');
    return { ...ref, sha256: createHash('sha256').update('"evil"').digest('hex') };
  };
  assert.equal(await deadLetterReason(t, { harm }), 'payload_damaged');
});

test('a delivery waits while the object store does not answer, and is sent afterwards', async (t) => {
  const worker = await Worker.start(t);
  worker.endpoint('acme', 'ep');
  const ref = await put(worker, '"large"');
  const { config } = await worker.core.jsm.streams.info('OBJ_PAYLOADS');
  await worker.core.jsm.streams.delete('OBJ_PAYLOADS');
  await worker.publishDelivery('acme', 'ep', large(ref));
  await waitUntil(async () => {
    const info = await worker.core.jsm.consumers.info('DLV-0', 'deliver-shared');
    return info.num_redelivered > 0 || info.delivered.consumer_seq > 0;
  });
  assert.equal(worker.receiver.requests.length, 0);
  assert.deepEqual(await worker.deadLetters(), []);
  await worker.core.jsm.streams.add(config);
  await worker.core.payloads.put(ref.key, Buffer.from('"large"'), 'application/json');
  await worker.receiver.waitFor(1, '/acme/ep', 30_000);
});

test('large payloads wait for memory while small events keep flowing', async (t) => {
  const settings = { payloadMemoryBytesMax: 16 * 1024 * 1024 };
  const worker = await Worker.start(t, { settings });
  const answered = Promise.withResolvers<void>();
  worker.receiver.on('/acme/slow', { status: 200, until: answered.promise });
  worker.endpoint('acme', 'slow');
  worker.endpoint('acme', 'quick');
  const refs = [await put(worker, randomBytes(6_000_000)), await put(worker, randomBytes(10))];
  const binary = { kind: 'binary', contentType: 'image/png' };
  await worker.publishDelivery('acme', 'slow', large(refs[0] as PayloadRef, binary));
  await worker.receiver.waitFor(1, '/acme/slow');
  await worker.publishDelivery('acme', 'quick', large(refs[1] as PayloadRef, binary));
  await worker.publishDelivery('acme', 'quick', { data: '"small"' });
  const [small] = await worker.receiver.waitFor(1, '/acme/quick');
  assert.match((small as ReceivedRequest).body.toString(), /"small"/);
  const parked = { reason: 'memory' };
  await waitUntil(async () => (await worker.metric('posthorn_delivery_parked_total', parked)) >= 1);
  answered.resolve();
  await worker.receiver.waitFor(2, '/acme/quick');
  await worker.waitUntilEmpty();
});
