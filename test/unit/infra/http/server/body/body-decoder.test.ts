import assert from 'node:assert/strict';
import { test } from 'node:test';
import zlib from 'node:zlib';
import { BodyDecoder } from '#infra/http/server/body/body-decoder.ts';

const MIB = 1024 * 1024;
const LARGE = zlib.gzipSync(Buffer.alloc(8 * MIB, 'x'));
const SMALL = zlib.gzipSync('x');

/** Returns the names of bodies in the order in which they were decoded. */
async function orderOf(slots: number, bodies: [name: string, owner: string, body: Buffer][]) {
  const decoder = new BodyDecoder(slots);
  const order: string[] = [];
  await Promise.all(
    bodies.map(async ([name, owner, body]) => {
      await decoder.decode(owner, body, ['gzip'], 8 * MIB, () => new Error('too large'));
      order.push(name);
    }),
  );
  return order;
}

test('a body waits for a slot, and slots alternate between owners', async () => {
  const bodies: [string, string, Buffer][] = [
    ['a1', 'a', LARGE],
    ['a2', 'a', LARGE],
    ['a3', 'a', SMALL],
    ['b1', 'b', SMALL],
  ];
  assert.deepEqual(await orderOf(1, bodies), ['a1', 'b1', 'a2', 'a3']);
});

test('a slot is free again after a body that cannot be decoded', async () => {
  const decoder = new BodyDecoder(1);
  const decode = (body: Buffer) => decoder.decode('a', body, ['gzip'], 1, () => new Error('large'));
  await assert.rejects(decode(Buffer.from('damaged')));
  assert.equal((await decode(SMALL)).toString(), 'x');
});
