/** Payloads in a real NATS object store: whole, missing, incomplete, damaged. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { before, test } from 'node:test';
import { PayloadDamagedError } from '#infra/payload-store.ts';
import { limits } from '#domain/limits.ts';
import { type NatsCore, startNatsCore, storedMessages } from '../../../nats-core.ts';

const STREAM = 'OBJ_PAYLOADS';
let core: NatsCore;
before(async (t) => {
  core = await startNatsCore(t as never);
});

/** The chunks that were stored last. */
async function chunksOf(): Promise<{ seq: number; subject: string }[]> {
  const messages = await storedMessages(core.jsm, STREAM);
  const chunks = messages.filter(({ subject }) => subject.startsWith('$O.PAYLOADS.C.'));
  return chunks.filter(({ subject }) => subject === chunks.at(-1)?.subject);
}

test('a payload is read as it was stored, up to the largest event, with its media type', async () => {
  for (const size of [1, 512 * 1024, limits.eventBytesMax]) {
    const bytes = randomBytes(size);
    await core.payloads.put(`acme/pay_${size}`, bytes, 'image/png');
    assert.equal(await core.payloads.size(`acme/pay_${size}`), size);
    const stored = await core.payloads.get(`acme/pay_${size}`);
    assert.equal(stored?.contentType, 'image/png');
    assert.ok(stored.bytes.equals(bytes));
  }
});

test('a payload is missing when it never existed, was removed, or lacks a part', async () => {
  assert.equal(await core.payloads.get('acme/pay_none'), undefined);
  assert.equal(await core.payloads.size('acme/pay_none'), undefined);
  await core.payloads.put('acme/pay_part', randomBytes(2_000_000), 'text/plain');
  const chunks = await chunksOf();
  assert.ok(chunks.length > 1);
  await core.jsm.streams.deleteMessage(STREAM, chunks[1]?.seq as number);
  assert.equal(await core.payloads.get('acme/pay_part'), undefined);
  assert.equal(await core.payloads.size('acme/pay_part'), undefined);
  await core.payloads.put('acme/pay_gone', randomBytes(1000), 'text/plain');
  const [chunk] = await chunksOf();
  await core.jsm.streams.purge(STREAM, { filter: chunk?.subject as string });
  assert.equal(await core.payloads.get('acme/pay_gone'), undefined);
});

test('rejects a payload of the same length with other bytes', async () => {
  await core.payloads.put('acme/pay_bad', Buffer.from('good'), 'text/plain');
  const [chunk] = await chunksOf();
  assert.ok(chunk);
  await core.jsm.streams.purge(STREAM, { filter: chunk.subject });
  await core.js.publish(chunk.subject, 'evil');
  await assert.rejects(core.payloads.get('acme/pay_bad'), PayloadDamagedError);
  await core.jsm.streams.purge(STREAM, { filter: chunk.subject });
  await core.js.publish(chunk.subject, 'longer');
  await assert.rejects(core.payloads.get('acme/pay_bad'), PayloadDamagedError);
});

test('objects are kept a little longer than events', async () => {
  const { config } = await core.jsm.streams.info(STREAM);
  const events = await core.jsm.streams.info('EV-0');
  assert.equal(config.max_age - events.config.max_age, 3600 * 1e9);
});
