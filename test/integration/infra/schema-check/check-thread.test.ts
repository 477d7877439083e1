import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLog } from '#infra/telemetry/log.ts';
import { CheckThread } from '#src/infra/schema-check/check-thread.ts';

const log = createLog('silent');
const ENOUGH_MS = 60_000;
const integers = JSON.stringify({ items: { type: 'integer' } });
const notChecked = { code: 'POSTHORN_DATA_NOT_CHECKED', status: 503 };

test('a thread answers with the faults of the data', async () => {
  const thread = new CheckThread({ heapMebibytesMax: 128, deadlineMs: ENOUGH_MS, log });
  assert.deepEqual(await thread.check(integers, '[1,2]'), []);
  assert.deepEqual(await thread.check(integers, Buffer.from('[1,"ä"]')), [
    { pointer: '/data/1', detail: 'must be an integer' },
  ]);
});

test('a check beyond the memory of its thread is rejected, and the next runs in a new thread', async () => {
  const thread = new CheckThread({ heapMebibytesMax: 24, deadlineMs: ENOUGH_MS, log });
  const objects = `[${'{},'.repeat(1_000_000)}{}]`;
  await assert.rejects(thread.check('{}', objects), notChecked);
  assert.deepEqual(await thread.check(integers, '[1]'), []);
});

test('rejects a check with POSTHORN_DATA_NOT_CHECKED when its deadline passes', async () => {
  // A thread takes longer to start.
  const thread = new CheckThread({ heapMebibytesMax: 128, deadlineMs: 1, log });
  await assert.rejects(thread.check(integers, '[1]'), notChecked);
});

test('rejects a stored schema that does not compile with POSTHORN_SCHEMA_INVALID, and keeps the thread', async () => {
  const thread = new CheckThread({ heapMebibytesMax: 128, deadlineMs: ENOUGH_MS, log });
  await assert.rejects(thread.check('{"$ref":"#/nowhere"}', '[1]'), {
    code: 'POSTHORN_SCHEMA_INVALID',
  });
  assert.deepEqual(await thread.check(integers, '[1]'), []);
});
