import type { IncomingMessage, ServerResponse } from 'node:http';

/**
 * The body of a request, whole. One of more than `bytesMax` is answered 413 without being read to its end, and
 * undefined is returned.
 *
 * @throws Error where the connection ends before the body does
 */
export async function receiveBody(
  request: IncomingMessage,
  response: ServerResponse,
  bytesMax: number,
): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > bytesMax) {
      response.writeHead(413, { connection: 'close' }).end();
      return undefined;
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
