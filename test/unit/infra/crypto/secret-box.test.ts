import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { SecretBox } from '#infra/crypto/secret-box.ts';

const newKey = () => randomBytes(32).toString('base64');

test('a sealed secret opens again, and each seal differs', () => {
  const box = new SecretBox(newKey());
  const [one, two] = [box.seal('whsec_ä', 'ep_1'), box.seal('whsec_ä', 'ep_1')];
  assert.notEqual(one, two);
  assert.ok(!one.includes('whsec'));
  assert.equal(box.open(one, 'ep_1'), 'whsec_ä');
  assert.equal(box.open(two, 'ep_1'), 'whsec_ä');
});

test('a sealed secret does not open with another context, another key or a changed byte', () => {
  const box = new SecretBox(newKey());
  const sealed = box.seal('whsec_x', 'ep_1');
  assert.throws(() => box.open(sealed, 'ep_2'));
  assert.throws(() => new SecretBox(newKey()).open(sealed, 'ep_1'), /master key/);
  const at = sealed.length - 3;
  const changed = sealed.slice(0, at) + (sealed[at] === 'A' ? 'B' : 'A') + sealed.slice(at + 1);
  assert.throws(() => box.open(changed, 'ep_1'));
  assert.throws(() => box.open(sealed.slice(0, 20), 'ep_1'), /truncated/);
  assert.throws(() => box.open('whsec_plain', 'ep_1'), /unknown format/);
});

test('the new key seals and the old one still opens after a rotation', () => {
  const [oldKey, key] = [newKey(), newKey()];
  const sealed = new SecretBox(oldKey).seal('whsec_x', 'ep_1');
  const rotated = new SecretBox(key, [oldKey]);
  assert.equal(rotated.open(sealed, 'ep_1'), 'whsec_x');
  assert.equal(new SecretBox(key).open(rotated.seal('y', 'c'), 'c'), 'y');
});

test('a resealed secret opens with the new key alone, and a current one is left unchanged', () => {
  const [oldKey, key] = [newKey(), newKey()];
  const sealed = new SecretBox(oldKey).seal('whsec_x', 'ep_1');
  const rotated = new SecretBox(key, [oldKey]);
  assert.equal(rotated.isCurrent(sealed), false);
  const resealed = rotated.reseal(sealed, 'ep_1');
  assert.equal(rotated.isCurrent(resealed), true);
  assert.equal(new SecretBox(key).open(resealed, 'ep_1'), 'whsec_x');
  assert.equal(rotated.reseal(resealed, 'ep_1'), resealed);
  assert.throws(() => rotated.reseal(sealed, 'ep_2'));
});

test('rejects a key of another length', () => {
  assert.throws(() => new SecretBox(randomBytes(16).toString('base64')), /32 bytes/);
});
