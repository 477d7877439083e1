import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allowedRate, faultOf } from '#src/control/endpoint-requests/verification-rules.ts';

const ATTEMPT = { id: 'att_1', no: 1, startedMs: 0, durationMs: 1, worker: 'w' };
const HANDSHAKE = { method: 'cloudevents', verified_at: null, origin: 'hooks.example' } as const;

for (const [name, headers, fault] of [
  ['any origin', { 'WebHook-Allowed-Origin': '*' }, undefined],
  [
    'the origin in another case',
    { 'webhook-allowed-origin': 'a.example, Hooks.Example' },
    undefined,
  ],
  ['another origin', { 'webhook-allowed-origin': 'a.example' }, /not hooks\.example/],
  ['no origin', {}, /no webhook-allowed-origin/],
] as const) {
  test(`the handshake ${fault === undefined ? 'agrees' : 'fails'} when the answer allows ${name}`, () => {
    const attempt = { ...ATTEMPT, status: 200, responseHeaders: { ...headers } };
    const found = faultOf(HANDSHAKE, attempt);
    if (fault === undefined) assert.equal(found, undefined);
    else assert.match(found ?? '', fault);
  });
}

test('the handshake fails with the cause when there is no answer', () => {
  const attempt = { ...ATTEMPT, failure: 'timeout', detail: 'no answer in time' } as const;
  assert.equal(faultOf(HANDSHAKE, attempt), 'no answer in time');
});

for (const [text, expected] of [
  ['60', { rate_limit: { per_second: 1, burst: 1 } }],
  ['6000', {}],
  ['*', {}],
  ['0', {}],
  ['-1', {}],
] as const) {
  test(`an allowed rate of ${text} a minute keeps a limit of 10 a second unless it is lower`, () => {
    const known = { verification: HANDSHAKE, rate_limit: { per_second: 10, burst: 1 } };
    const attempt = { ...ATTEMPT, responseHeaders: { 'webhook-allowed-rate': text } };
    assert.deepEqual(allowedRate(known as never, attempt), expected);
  });
}
