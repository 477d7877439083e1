import assert from 'node:assert/strict';
import { createHmac, hkdfSync, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import {
  BROADCAST_OWNER,
  PAYLOAD_OWNER_PATTERN,
  PayloadLinks,
  lifeOfPayload,
  payloadOwner,
} from '#wire/webhook/payload-link.ts';

const MASTER = randomBytes(32);
const links = new PayloadLinks(MASTER.toString('base64'));
const KEY = 'acme/pay_01';
const NOW = 1_700_000_000_000;

function partsOf(url: string): { expires: string; signature: string } {
  const { searchParams } = new URL(url);
  return {
    expires: searchParams.get('expires') ?? '',
    signature: searchParams.get('signature') ?? '',
  };
}

test('a link is valid until its second, and for its key only', () => {
  const link = links.make('https://p.example', KEY, NOW + 60_400);
  assert.equal(link.expiresAtMs, NOW + 60_000);
  assert.ok(link.url.startsWith('https://p.example/v1/payloads/acme/pay_01?expires=1700000060&'));
  const { expires, signature } = partsOf(link.url);
  assert.equal(links.check(KEY, expires, signature, NOW), 'valid');
  assert.equal(links.check(KEY, expires, signature, NOW + 59_999), 'valid');
  assert.equal(links.check(KEY, expires, signature, NOW + 60_000), 'expired');
  assert.equal(links.check('acme/pay_02', expires, signature, NOW), 'invalid');
  assert.equal(links.check('other/pay_01', expires, signature, NOW), 'invalid');
  assert.equal(links.check(KEY, '1700009999', signature, NOW), 'invalid');
  // A guessed link is not reported as expired.
  assert.equal(links.check(KEY, '1', signature, NOW), 'invalid');
  for (const wrong of ['', 'x', signature.slice(0, -2), `${signature}AA`, 'A'.repeat(43)]) {
    assert.equal(links.check(KEY, expires, wrong, NOW), 'invalid', wrong);
  }
});

test('links of another master key that is still configured are valid too', () => {
  const { expires, signature } = partsOf(links.make('https://p.example', KEY, NOW).url);
  const next = new PayloadLinks(randomBytes(32).toString('base64'), [MASTER.toString('base64')]);
  assert.equal(next.check(KEY, expires, signature, 0), 'valid');
  const own = partsOf(next.make('https://p.example', KEY, NOW).url);
  assert.equal(next.check(KEY, own.expires, own.signature, 0), 'valid');
  assert.equal(links.check(KEY, own.expires, own.signature, 0), 'invalid');
});

test('another master key makes other links, and the signature equals the documented one', () => {
  const { expires, signature } = partsOf(links.make('https://p.example', KEY, NOW).url);
  const other = new PayloadLinks(randomBytes(32).toString('base64'));
  assert.equal(other.check(KEY, expires, signature, 0), 'invalid');
  const key = Buffer.from(hkdfSync('sha256', MASTER, '', 'posthorn payload links', 32));
  const mac = createHmac('sha256', key).update(`v1\n${KEY}\n${expires}`).digest('base64url');
  assert.equal(signature, mac);
});

test('the owner of a payload gives its life, and is never the owner of broadcasts', () => {
  for (const lifeId of ['acme', 'acme=3', 'broadcast', 'broadcast=1']) {
    const owner = payloadOwner(lifeId);
    assert.notEqual(owner, BROADCAST_OWNER);
    assert.match(owner, new RegExp(PAYLOAD_OWNER_PATTERN));
    assert.equal(lifeOfPayload(`${owner}/pay_1`), lifeId);
  }
  assert.equal(lifeOfPayload(`${BROADCAST_OWNER}/pay_1`), undefined);
});
