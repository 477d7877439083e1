import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SendResult } from '#infra/http/client/sender.ts';
import { hideSecrets } from '#src/delivery/attempt/hide-secrets.ts';

const answer = (
  body: string | Buffer,
  headers: SendResult['responseHeaders'] = {},
): SendResult => ({
  outcome: { ok: true, status: 200 },
  note: undefined,
  repeatedAtMs: undefined,
  responseHeaders: headers,
  responseBody: Buffer.from(body),
});

const SECRET = 'swordfish-0123456789';

const bodies: [what: string, body: string | Buffer, shown: string | Buffer][] = [
  ['nothing of it', 'hello', 'hello'],
  ['nothing at all', '', ''],
  ['it alone', SECRET, '********'],
  ['it twice', `a ${SECRET}${SECRET} b`, 'a **************** b'],
  ['cut at the end', `a ${SECRET.slice(0, -1)}`, 'a ********'],
  ['cut to eight characters', `a ${SECRET.slice(0, 8)}`, 'a ********'],
  ['cut to seven', `a ${SECRET.slice(0, 7)}`, `a ${SECRET.slice(0, 7)}`],
  ['its beginning elsewhere', `${SECRET.slice(0, 12)} b`, `${SECRET.slice(0, 12)} b`],
  [
    'bytes around it',
    Buffer.concat([Buffer.from([0, 255]), Buffer.from(SECRET), Buffer.from([254])]),
    Buffer.concat([Buffer.from([0, 255]), Buffer.from('********'), Buffer.from([254])]),
  ],
];
for (const [what, body, shown] of bodies) {
  test(`a secret in an answer is masked: ${what}`, () => {
    const { responseBody } = hideSecrets(answer(body), [SECRET]);
    assert.deepEqual(responseBody, Buffer.from(shown));
  });
}

test('secrets are masked in headers, and in each of several headers with one name', () => {
  const headers = { 'x-a': `k=${SECRET}`, 'x-b': ['1', SECRET], 'x-c': undefined };
  const { responseHeaders } = hideSecrets(answer('', headers), [SECRET]);
  assert.deepEqual(responseHeaders, {
    'x-a': 'k=********',
    'x-b': ['1', '********'],
    'x-c': undefined,
  });
});

test('secrets are masked when there are several, with non-ASCII and special pattern characters', () => {
  const secrets = ['pässwörter', '$&.*+?^${}()|', SECRET];
  const { responseBody } = hideSecrets(answer(secrets.join(' ')), secrets);
  assert.equal(responseBody.toString(), '******** ******** ********');
});

test('a secret shorter than the mask stays, and a missing answer is unchanged', () => {
  const stated = answer('the word is abc');
  assert.deepEqual(hideSecrets(stated, ['abc']), stated);
  const none = { ...answer(''), responseHeaders: undefined };
  assert.equal(hideSecrets(none, [SECRET]), none);
});
