import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MongoServerError } from 'mongodb';
import { attemptDocument } from '#infra/mongo/history/attempts.ts';
import { isMissingIndex } from '#infra/mongo/history/list-indexes.ts';
import type { DeliveryRecord } from '#wire/frames/record.ts';

const record: DeliveryRecord = {
  k: 'delivery',
  tenant: 'acme=1',
  event: 'evt_1',
  type: 'order.created',
  acceptedMs: 1000,
  id: 'dlv_1',
  endpoint: 'ep_1',
  hop: 1,
  status: 'pending',
};
const links = {
  tenant: 'acme=1',
  delivery: 'dlv_1',
  event: 'evt_1',
  endpoint: 'ep_1',
  type: 'order.created',
  accepted_at: new Date(1000),
};

test('the document of an attempt has every fact of its record', () => {
  const attempt = {
    id: 'att_1',
    no: 2,
    startedMs: 2000,
    durationMs: 12.5,
    status: 503,
    failure: 'http_status',
    detail: 'the receiver answered 503',
    repeatedMs: 2001,
    responseHeaders: { 'content-type': 'text/plain' },
    responseBody: 'AA==',
    responseBodyEncoding: 'base64',
    worker: 'w',
  } as const;
  assert.deepEqual(attemptDocument(record, attempt), {
    _id: 'att_1',
    ...links,
    no: 2,
    started_at: new Date(2000),
    duration_ms: 12.5,
    response_status: 503,
    failure: 'http_status',
    detail: 'the receiver answered 503',
    repeated_at: new Date(2001),
    response_headers: { 'content-type': 'text/plain' },
    response_body: 'AA==',
    response_body_encoding: 'base64',
    worker: 'w',
  });
});

test('the document of an attempt lacks the fields that its record lacks', () => {
  const attempt = { id: 'att_1', no: 1, startedMs: 2000, durationMs: 1, worker: 'w' };
  assert.deepEqual(attemptDocument(record, attempt), {
    _id: 'att_1',
    ...links,
    no: 1,
    started_at: new Date(2000),
    duration_ms: 1,
    worker: 'w',
  });
});

test('only the error about a hint says that an index is missing', () => {
  const about = (message: string, code: number) =>
    Object.assign(new MongoServerError({ message }), { code });
  const hint = 'planner returned error: hint provided does not correspond to an existing index';
  assert.ok(isMissingIndex(about(hint, 2)));
  assert.ok(!isMissingIndex(about(hint, 11_000)));
  assert.ok(!isMissingIndex(about('another bad value', 2)));
  assert.ok(!isMissingIndex(new Error(hint)));
});
