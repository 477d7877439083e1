import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isPosthornError } from '#domain/errors.ts';
import { checkEndpointHeaders } from '#src/control/resources/endpoint-headers.ts';

const pointers = (headers: Record<string, string>): string[] => {
  try {
    checkEndpointHeaders(headers);
    return [];
  } catch (error) {
    assert.ok(isPosthornError(error) && error.code === 'POSTHORN_REQUEST_INVALID');
    return error.fields.map((field) => field.pointer);
  }
};

test('names are kept in lower case, values without white space around them', () => {
  assert.deepEqual(checkEndpointHeaders({ 'X-Team': ' a b ', Authorization: 'Bearer x' }), {
    'x-team': 'a b',
    authorization: 'Bearer x',
  });
});

test('rejects header fields of the platform and of the connection', () => {
  for (const name of [
    'Host',
    'Connection',
    'Keep-Alive',
    'Transfer-Encoding',
    'TE',
    'Trailer',
    'Upgrade',
    'Expect',
    'Proxy-Authorization',
    'Content-Length',
    'Content-Type',
    'Webhook-Id',
    'webhook-anything',
    'ce-id',
    'User-Agent',
    'traceparent',
  ]) {
    assert.deepEqual(pointers({ [name]: 'x' }), [`/headers/${name}`]);
  }
});

test('rejects a name or a value that could break out of its line', () => {
  for (const name of ['', 'a b', 'a:b', 'a\r\nb', 'ä', 'x'.repeat(129)]) {
    assert.equal(pointers({ [name]: 'x' }).length, 1, name);
  }
  for (const value of ['a\r\nhost: b', 'a\nb', 'a\0b', 'ä', 'x'.repeat(1025)]) {
    assert.deepEqual(pointers({ 'x-a': value }), ['/headers/x-a'], value);
  }
});

test('rejects one name in two spellings, and names every fault', () => {
  assert.deepEqual(pointers({ 'X-A': '1', 'x-a': '2', host: 'x' }), [
    '/headers/x-a',
    '/headers/host',
  ]);
});
