import type { Msg } from '@nats-io/nats-core';
import { PosthornError } from '#domain/errors.ts';
import { limits } from '#domain/limits.ts';

/** What the client library keeps of a message whose headers were not read yet. */
interface Received {
  _rdata?: Uint8Array;
  _msg?: { hdr: number };
}

/**
 * Why the headers of a message cannot be read, or undefined if they can. Call it before anything
 * reads `message.headers`: the library compares each name with all before it, and throws from there
 * for an invalid name. Its time grows with the square of the number of names, 26 s for 420 KB.
 *
 * @returns POSTHORN_EVENT_INVALID over `limits.natsHeaderBytesMax` or `limits.natsHeadersMax`, and
 *   for a name that NATS does not have
 */
export function headerFault(message: Msg): PosthornError | undefined {
  const { _rdata: received, _msg: { hdr: length } = { hdr: -1 } } = message as unknown as Received;
  if (received === undefined || length <= 0) return undefined;
  if (length > limits.natsHeaderBytesMax) {
    return invalid(`has ${length} bytes; at most ${limits.natsHeaderBytesMax} are accepted`);
  }
  const block = Buffer.from(received.buffer, received.byteOffset, length);
  if (linesOf(block) > limits.natsHeadersMax) {
    return invalid(`has more than ${limits.natsHeadersMax} headers`);
  }
  try {
    void message.headers;
    return undefined;
  } catch (cause) {
    return invalid('has a name or a value that NATS does not allow', cause);
  }
}

/** Headers in a block: its lines without the first, the version, and the last, which is empty. */
function linesOf(block: Buffer): number {
  let lines = -2;
  for (let at = block.indexOf(10); at !== -1; at = block.indexOf(10, at + 1)) lines++;
  return lines;
}

function invalid(detail: string, cause?: unknown): PosthornError {
  return new PosthornError('POSTHORN_EVENT_INVALID', {
    fields: [{ pointer: '#header', detail }],
    ...(cause === undefined ? {} : { cause }),
  });
}
