/**
 * Content codings of request bodies (RFC 9110, section 8.4): gzip, deflate, br and zstd.
 *
 * Bounds: the number of codings (`limits.contentCodingsMax`), the bytes of each decoded stage, and
 * its ratio to the encoded body (`limits.decodedRatioMax`). Decoding stops at the bound, and runs
 * in libuv's thread pool, off the event loop.
 */
import { promisify } from 'node:util';
import {
  type BrotliOptions,
  type ZlibOptions,
  type ZstdOptions,
  brotliDecompress,
  constants,
  gunzip,
  inflate,
  zstdDecompress,
} from 'node:zlib';
import { PosthornError } from '#domain/errors.ts';
import { limits } from '#domain/limits.ts';

type Decode = (body: Buffer, options: DecodeOptions) => Promise<DecodeResult>;
type DecodeOptions = ZlibOptions & BrotliOptions & ZstdOptions & { info: true };
interface DecodeResult {
  buffer: Buffer;
  engine: { bytesWritten: number };
}

/** RFC 9659: a content coding of zstd has a window of at most 8 MiB. */
const ZSTD_WINDOW_LOG_MAX = 23;
const CHUNK_BYTES = 64 * 1024;
/** The ratio does not apply to decoded bodies up to this size. */
const RATIO_FREE_BYTES = 64 * 1024;
const POINTER = '#header/content-encoding';

const decoders = {
  gzip: promisify(gunzip),
  deflate: promisify(inflate),
  br: promisify(brotliDecompress),
  zstd: promisify(zstdDecompress),
} as unknown as Record<'gzip' | 'deflate' | 'br' | 'zstd', Decode>;

export type ContentCoding = keyof typeof decoders;

/** The value of `accept-encoding` in the answer to an unsupported coding. */
export const ACCEPT_ENCODING = Object.keys(decoders).join(', ');

/**
 * Parses a `content-encoding` header into its codings in the order in which they were applied,
 * without `identity`.
 *
 * @throws PosthornError POSTHORN_CONTENT_CODING_UNSUPPORTED
 */
export function parseContentCodings(header: string | undefined): ContentCoding[] {
  if (header === undefined) return [];
  const codings: ContentCoding[] = [];
  for (const token of header.split(',')) {
    const name = token.trim().toLowerCase();
    if (name === '' || name === 'identity') continue;
    // RFC 9110, section 8.4.1.3: the two are the same.
    const coding = name === 'x-gzip' ? 'gzip' : name;
    if (!isContentCoding(coding)) {
      throw unsupportedCoding(`content-encoding ${name} is not supported; send ${ACCEPT_ENCODING}`);
    }
    codings.push(coding);
  }
  if (codings.length <= limits.contentCodingsMax) return codings;
  throw unsupportedCoding(`at most ${limits.contentCodingsMax} content codings are supported`);
}

export function unsupportedCoding(detail: string): PosthornError {
  return new PosthornError('POSTHORN_CONTENT_CODING_UNSUPPORTED', { detail });
}

function isContentCoding(name: string): name is ContentCoding {
  return Object.hasOwn(decoders, name);
}

/**
 * Removes the codings of a body. An empty body has nothing to decode.
 *
 * @param bytesMax of the decoded body, and of every stage before it
 * @param tooLarge makes the error for a body over its bounds
 * @throws PosthornError POSTHORN_BODY_INVALID if the stream is truncated or damaged, or if
 *   bytes follow its end
 */
export async function decodeBody(
  body: Buffer,
  codings: readonly ContentCoding[],
  bytesMax: number,
  tooLarge: () => Error,
): Promise<Buffer> {
  if (body.length === 0) return body;
  const byRatio = Math.max(RATIO_FREE_BYTES, body.length * limits.decodedRatioMax);
  const maxOutputLength = Math.min(bytesMax, byRatio);
  let decoded = body;
  for (const coding of codings.toReversed()) {
    decoded = await decodeStage(decoded, coding, maxOutputLength, tooLarge);
  }
  return decoded;
}

async function decodeStage(
  body: Buffer,
  coding: ContentCoding,
  maxOutputLength: number,
  tooLarge: () => Error,
): Promise<Buffer> {
  const options: DecodeOptions = { maxOutputLength, chunkSize: CHUNK_BYTES, info: true };
  if (coding === 'zstd') {
    options.params = { [constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG_MAX };
  }
  let result: DecodeResult;
  try {
    result = await decoders[coding](body, options);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge();
    throw damaged(`the body is not a whole ${coding} stream: ${message}`, error);
  }
  // Node stops at the end of the stream, and ignores any bytes after it.
  if (result.engine.bytesWritten === body.length) return result.buffer;
  throw damaged(`the body has bytes after the end of its ${coding} stream`);
}

function damaged(detail: string, cause?: unknown): PosthornError {
  return new PosthornError('POSTHORN_BODY_INVALID', {
    detail: `content-encoding: ${detail}`,
    fields: [{ pointer: POINTER, detail }],
    cause,
  });
}
