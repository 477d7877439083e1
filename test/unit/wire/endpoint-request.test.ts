import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeEndpointRequest, encodeEndpointRequest } from '#wire/endpoint-request.ts';
import { type EventHead, encodeEventFrame } from '#wire/frames/event-frame.ts';

const event: EventHead = {
  id: 'evt_1',
  type: 'order.created',
  source: '/tenants/acme',
  time: '2026-01-31T12:00:00.000Z',
  kind: 'json',
  acceptedMs: 1,
  correlationId: 'req_1',
};
const frame = encodeEventFrame(event, '{"total": 1.0}');

test('a request keeps its fields and the bytes of the data', () => {
  const head = {
    tenant: 'acme=1',
    endpoint: 'ep_1',
    what: 'handshake',
    origin: 'a.example',
  } as const;
  const { event: decoded, ...rest } = decodeEndpointRequest(encodeEndpointRequest(head, frame));
  assert.deepEqual(rest, head);
  assert.deepEqual(decoded.head, event);
  assert.equal(decoded.data.toString(), '{"total": 1.0}');
});

for (const [name, text] of [
  ['no line feed', '{}'],
  ['no object', 'null\n'],
  ['no tenant', '{"endpoint":"ep_1","what":"test"}\n'],
  ['no endpoint', '{"tenant":"acme","what":"test"}\n'],
  ['an unknown kind', '{"tenant":"acme","endpoint":"ep_1","what":"drop"}\n'],
  ['no event', '{"tenant":"acme","endpoint":"ep_1","what":"test"}\n'],
] as const) {
  test(`rejects a request with ${name} with a syntax error`, () => {
    assert.throws(() => decodeEndpointRequest(Buffer.from(text)), SyntaxError);
  });
}
