import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Msg } from '@nats-io/nats-core';
import { MsgImpl } from '@nats-io/nats-core/internal';
import { limits } from '#domain/limits.ts';
import { headerFault } from '#src/ingress/nats/header-block.ts';

/** A message as the client library receives it, its header lines before its body. */
function received(lines: string[]): Msg {
  const block = Buffer.from(`NATS/1.0\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n`);
  const subject = Buffer.from('in.acme.a');
  const size = block.length + 1;
  const argument = { subject, reply: undefined, sid: 1, hdr: block.length, size };
  return new MsgImpl(
    argument as never,
    Buffer.concat([block, Buffer.from('1')]),
    {} as never,
  ) as Msg;
}

const named = (count: number): string[] => Array.from({ length: count }, (_, i) => `h${i}: v`);

const refused: [what: string, lines: string[], detail: RegExp][] = [
  ['too many headers', named(limits.natsHeadersMax + 1), /more than 128 headers/],
  ['one header many times', Array<string>(limits.natsHeadersMax + 1).fill('h: v'), /more than 128/],
  ['a large header', [`h: ${'v'.repeat(limits.natsHeaderBytesMax)}`], /at most 65536 are accepted/],
];
for (const [what, lines, detail] of refused) {
  test(`rejects ${what} with POSTHORN_EVENT_INVALID before headers are decoded`, () => {
    const message = received(lines);
    Object.defineProperty(message, 'headers', { get: () => assert.fail('decoded') });
    const fault = headerFault(message);
    assert.equal(fault?.code, 'POSTHORN_EVENT_INVALID');
    assert.equal(fault.fields?.[0]?.pointer, '#header');
    assert.match(fault.fields[0].detail, detail);
  });
}

test('rejects a name that NATS does not allow with POSTHORN_EVENT_INVALID', () => {
  assert.equal(headerFault(received(['a b: v']))?.code, 'POSTHORN_EVENT_INVALID');
  assert.equal(headerFault(received(['é: v']))?.code, 'POSTHORN_EVENT_INVALID');
});

test('headers within the bounds are accepted', () => {
  const message = received(named(limits.natsHeadersMax));
  assert.equal(headerFault(message), undefined);
  assert.equal(message.headers?.get('h127'), 'v');
  assert.equal(message.data.length, 1);
  assert.equal(headerFault(received([`${'n'.repeat(60_000)}: v`])), undefined);
});
