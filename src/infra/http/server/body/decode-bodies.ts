import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import {
  type FastifyInstance,
  type FastifyRequest,
  type RequestPayload,
  errorCodes,
} from 'fastify';
import { limits } from '#domain/limits.ts';
import { BodyDecoder } from './body-decoder.ts';
import { checkBodyHeaders } from './body-headers.ts';
import { type ContentCoding, parseContentCodings } from './content-coding.ts';

/**
 * Refuses bodies that their headers misdescribe, and decodes those with a `content-encoding`, on
 * every route. The encoded and the decoded body are both bounded by the route's `bodyLimit`. A
 * request without a body, or without such headers, passes unchanged.
 */
export function decodeBodies(app: FastifyInstance): void {
  const decoder = new BodyDecoder();
  app.addHook('preParsing', (request, reply, payload, proceed) => {
    const { headers } = request;
    if (!hasBody(request.raw)) {
      proceed(null, payload);
      return;
    }
    const fail = (error: Error): void => {
      // The caller may still be sending.
      reply.header('connection', 'close');
      proceed(error);
    };
    try {
      checkBodyHeaders(headers);
      const codings = parseContentCodings(headers['content-encoding']);
      if (codings.length === 0) {
        proceed(null, payload);
        return;
      }
      decode(decoder, request, payload, codings).then((decoded) => proceed(null, decoded), fail);
    } catch (error) {
      fail(error as Error);
    }
  });
}

async function decode(
  decoder: BodyDecoder,
  { headers, params, routeOptions }: FastifyRequest,
  payload: RequestPayload,
  codings: ContentCoding[],
): Promise<RequestPayload> {
  const bytesMax = routeOptions.bodyLimit ?? limits.requestBodyBytesMax;
  const encoded = await gather(payload, Number(headers['content-length']), bytesMax);
  const owner = (params as { tenant?: string }).tenant ?? '';
  const decoded = await decoder.decode(owner, encoded, codings, bytesMax, tooLarge);
  // Fastify compares the number of encoded bytes with `content-length`.
  const receivedEncodedLength = encoded.length;
  return Object.assign(Readable.from([decoded]), { receivedEncodedLength });
}

function hasBody({ headers }: IncomingMessage): boolean {
  if (headers['transfer-encoding'] !== undefined) return true;
  const length = headers['content-length'];
  return length !== undefined && length !== '0';
}

function tooLarge(): Error {
  return new errorCodes.FST_ERR_CTP_BODY_TOO_LARGE();
}

/**
 * Reads the whole payload. By events: leaving an async iterator early destroys the socket, and with
 * it the answer.
 */
function gather(payload: RequestPayload, announced: number, bytesMax: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    if (announced > bytesMax) {
      reject(tooLarge());
      return;
    }
    const chunks: Buffer[] = [];
    let bytes = 0;
    const onData = (chunk: Buffer): void => {
      bytes += chunk.length;
      chunks.push(chunk);
      if (bytes > bytesMax) end(tooLarge());
    };
    const end = (error?: Error): void => {
      payload.removeListener('data', onData);
      payload.removeListener('end', end);
      payload.removeListener('error', end);
      if (error === undefined) resolve(Buffer.concat(chunks, bytes));
      else reject(error);
    };
    payload.on('data', onData);
    payload.on('end', end);
    payload.on('error', end);
  });
}
