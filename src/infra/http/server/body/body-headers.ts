/**
 * Headers that change the meaning of a body's bytes. A body is read as UTF-8 and as the whole
 * content; a header that contradicts this is refused, never ignored.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { PosthornError } from '#domain/errors.ts';
import { isJsonType, isUtf8Charset } from '#domain/event/media-type.ts';
import { unsupportedCoding } from './content-coding.ts';

/** RFC 2045, section 6.2: encodings that leave the bytes unchanged. */
const PLAIN_TRANSFER_ENCODINGS = new Set(['7bit', '8bit', 'binary']);

/**
 * Checks every such header but `content-encoding`, which `parseContentCodings` reads.
 *
 * @throws PosthornError POSTHORN_MEDIA_TYPE_UNSUPPORTED for JSON in a charset other than UTF-8,
 *   POSTHORN_CONTENT_CODING_UNSUPPORTED, POSTHORN_TRANSFER_CODING_UNSUPPORTED,
 *   POSTHORN_REQUEST_INVALID
 */
export function checkBodyHeaders(headers: IncomingHttpHeaders): void {
  const transferCoding = headers['transfer-encoding'];
  // RFC 9112, section 6.1: after chunked decoding, another coding would still be applied.
  if (transferCoding !== undefined && transferCoding.trim().toLowerCase() !== 'chunked') {
    throw new PosthornError('POSTHORN_TRANSFER_CODING_UNSUPPORTED', {
      detail: `transfer-encoding ${transferCoding} is not supported; send chunked`,
    });
  }
  const mimeEncoding = headers['content-transfer-encoding'];
  if (mimeEncoding !== undefined) checkMimeEncoding(String(mimeEncoding));
  // RFC 9110, section 14.5: a part of a body must not be stored as the whole.
  if (headers['content-range'] !== undefined) {
    const detail = 'is not supported: send the whole body';
    const fields = [{ pointer: '#header/content-range', detail }];
    throw new PosthornError('POSTHORN_REQUEST_INVALID', { fields });
  }
  const contentType = headers['content-type'];
  if (contentType !== undefined && isJsonType(contentType)) checkJsonCharset(contentType);
}

/** @throws PosthornError POSTHORN_MEDIA_TYPE_UNSUPPORTED */
export function checkJsonCharset(contentType: string): void {
  if (isUtf8Charset(contentType)) return;
  const detail = `${contentType} is not supported: JSON must be UTF-8`;
  throw new PosthornError('POSTHORN_MEDIA_TYPE_UNSUPPORTED', { detail });
}

function checkMimeEncoding(value: string): void {
  const name = value.trim().toLowerCase();
  if (PLAIN_TRANSFER_ENCODINGS.has(name)) return;
  // RFC 9110, section 18.2: HTTP does not have this field.
  throw unsupportedCoding(`content-transfer-encoding ${name} is not supported; send the bytes`);
}
