import assert from 'node:assert/strict';
import { test } from 'node:test';
import zlib from 'node:zlib';
import type { PosthornError } from '#domain/errors.ts';
import { limits } from '#domain/limits.ts';
import {
  type ContentCoding,
  decodeBody,
  parseContentCodings,
} from '#infra/http/server/body/content-coding.ts';

const encoders: Record<ContentCoding, (body: Buffer) => Buffer> = {
  gzip: zlib.gzipSync,
  deflate: zlib.deflateSync,
  br: zlib.brotliCompressSync,
  zstd: zlib.zstdCompressSync,
};
const codings = Object.keys(encoders) as ContentCoding[];
const MIB = 1024 * 1024;
const TOO_LARGE = new Error('too large');
const BODY = Buffer.from(JSON.stringify({ type: 'order.created', data: 'ü'.repeat(500) }));

function decode(body: Buffer, names: ContentCoding[], bytesMax = MIB): Promise<Buffer> {
  return decodeBody(body, names, bytesMax, () => TOO_LARGE);
}

for (const coding of codings) {
  test(`a body in ${coding} is decoded`, async () => {
    assert.deepEqual(await decode(encoders[coding](BODY), [coding]), BODY);
  });

  test(`rejects a body in ${coding} that is truncated at any length`, async () => {
    const encoded = encoders[coding](BODY);
    for (let end = 1; end < encoded.length; end++) {
      await assert.rejects(decode(encoded.subarray(0, end), [coding]), isDamaged, `${end} bytes`);
    }
  });

  test(`rejects bytes after the end of a body in ${coding}`, async () => {
    const encoded = Buffer.concat([encoders[coding](BODY), Buffer.from('more')]);
    await assert.rejects(decode(encoded, [coding]), isDamaged);
  });

  test(`rejects plain JSON that is labelled as ${coding}`, async () => {
    await assert.rejects(decode(BODY, [coding]), isDamaged);
  });

  test(`a body in ${coding} may decode to the bound and no further`, async () => {
    const encoded = encoders[coding](BODY);
    assert.deepEqual(await decode(encoded, [coding], BODY.length), BODY);
    await assert.rejects(decode(encoded, [coding], BODY.length - 1), TOO_LARGE);
  });

  test(`an empty body in ${coding} is empty`, async () => {
    assert.equal((await decode(Buffer.alloc(0), [coding])).length, 0);
  });
}

test('codings are removed in reverse order', async () => {
  const encoded = codings.reduce<Buffer>((body, coding) => encoders[coding](body), BODY);
  assert.deepEqual(await decode(encoded, parseContentCodings(codings.join(', '))), BODY);
});

test('gzip of equal bytes is decoded at any ratio', async () => {
  const zeros = Buffer.alloc(4 * MIB);
  assert.deepEqual(await decode(zlib.gzipSync(zeros), ['gzip'], 4 * MIB), zeros);
});

test('rejects a ratio that deflate cannot reach', async () => {
  const zeros = Buffer.alloc(4 * MIB);
  for (const coding of ['br', 'zstd'] as const) {
    await assert.rejects(decode(encoders[coding](zeros), [coding], 8 * MIB), TOO_LARGE);
  }
  const twice = zlib.gzipSync(zlib.gzipSync(zeros));
  await assert.rejects(decode(twice, ['gzip', 'gzip'], 8 * MIB), TOO_LARGE);
});

test('rejects zstd with a window over 8 MiB', async () => {
  // RFC 8878, section 3.1.1: magic number, frame header, one raw block of one byte.
  const frame = (windowLog: number): Buffer =>
    Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, (windowLog - 10) << 3, 9, 0, 0, 0x78]);
  assert.equal((await decode(frame(23), ['zstd'])).toString(), 'x');
  await assert.rejects(decode(frame(24), ['zstd']), isDamaged);
});

test('names of codings are read in upper and lower case, and identity is skipped', () => {
  assert.deepEqual(parseContentCodings(undefined), []);
  assert.deepEqual(parseContentCodings(' identity ,'), []);
  assert.deepEqual(parseContentCodings('X-GZIP, Br,identity'), ['gzip', 'br']);
});

test('rejects an unknown coding with POSTHORN_CONTENT_CODING_UNSUPPORTED', () => {
  for (const header of ['compress', 'gzip, aes', 'constructor', 'gzip;q=1']) {
    assert.throws(() => parseContentCodings(header), {
      code: 'POSTHORN_CONTENT_CODING_UNSUPPORTED',
    });
  }
});

test('rejects more codings than the bound', () => {
  const header = (count: number): string => Array(count).fill('gzip').join(',');
  assert.equal(parseContentCodings(header(limits.contentCodingsMax)).length, 4);
  assert.throws(() => parseContentCodings(header(limits.contentCodingsMax + 1)), {
    code: 'POSTHORN_CONTENT_CODING_UNSUPPORTED',
  });
});

function isDamaged(error: unknown): true {
  const { code, fields } = error as PosthornError;
  assert.equal(code, 'POSTHORN_BODY_INVALID');
  assert.equal(fields[0]?.pointer, '#header/content-encoding');
  return true;
}
