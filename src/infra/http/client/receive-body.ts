import type { IncomingMessage, ServerResponse } from 'node:http';

/**
 * Reads the whole body of a request. Answers 413 and returns undefined for a body of more than
 * `bytesMax`, without reading it to its end.
 *
 * @throws Error if the connection ends before the body does
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
