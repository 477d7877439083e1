import { type IncomingMessage, STATUS_CODES, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Clock } from '#domain/clock.ts';
import { type ErrorCode, PosthornError } from '#domain/errors.ts';
import { newId } from '#domain/ids.ts';
import { limits } from '#domain/limits.ts';
import { PROBLEM_MEDIA_TYPE, problemOf } from '#wire/problem.ts';
import { unsupportedVersion } from './check-request-head.ts';

/** https://nodejs.org/api/http.html#event-clienterror; the codes of the parser are llhttp's. */
const errorCodes: Readonly<Record<string, ErrorCode>> = {
  ERR_HTTP_REQUEST_TIMEOUT: 'POSTHORN_REQUEST_TIMEOUT',
  HPE_HEADER_OVERFLOW: 'POSTHORN_HEADERS_TOO_LARGE',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 'POSTHORN_BODY_TOO_LARGE',
};

/** Faults that a caller can correct, by error code of the parser: one code has several faults. */
const details: Readonly<Record<string, string>> = {
  HPE_INVALID_CHUNK_SIZE: 'the size of a chunk of the body is not a hexadecimal number below 2^64',
  HPE_CR_EXPECTED: 'a line of the head, or of the size of a chunk, does not end with CRLF',
  HPE_INVALID_EOF_STATE: 'the connection ended before the request',
  HPE_INVALID_HEADER_TOKEN: 'a header field has a character that is not allowed there',
  HPE_INVALID_CONTENT_LENGTH:
    'content-length is not a number below 2^64, or is combined with transfer-encoding',
  HPE_UNEXPECTED_CONTENT_LENGTH: 'content-length is repeated, or combined with transfer-encoding',
  HPE_INVALID_TRANSFER_ENCODING:
    'transfer-encoding must end with chunked, name it once, and be without content-length',
  HPE_INVALID_URL: 'the target of the request line is not a URL',
  HPE_INVALID_VERSION: 'the request line does not end with HTTP/1.1 and CRLF',
  HPE_INVALID_CONSTANT: 'the request line is not one of HTTP/1.1',
};

/**
 * Answers bytes that are not a complete HTTP request; there is no route and no reply object for
 * them.
 */
export function answerClientError(
  error: Error & { code?: string },
  socket: Duplex,
  clock: Clock,
): void {
  if (error.code === 'ECONNRESET' || isTlsFault(error) || socket.destroyed || !socket.writable) {
    socket.destroy();
    return;
  }
  const reason = error.code ?? '';
  const version = versionOf(error);
  if (version !== undefined) {
    refuseOnSocket(unsupportedVersion(version), socket, clock);
    return;
  }
  const code = codeOfHead(error) ?? errorCodes[reason] ?? 'POSTHORN_REQUEST_INVALID';
  const detail = details[reason];
  refuseOnSocket(new PosthornError(code, detail === undefined ? {} : { detail }), socket, clock);
}

/** The client does not speak TLS, or not ours: it could not read an answer. */
function isTlsFault({ code }: { code?: string }): boolean {
  return code === 'EPROTO' || /^ERR_(SSL|TLS)_/.test(code ?? '');
}

/** CONNECT has no route: Node gives it a socket and no reply object (RFC 9110, section 9.3.6). */
export function answerConnect(request: IncomingMessage, socket: Duplex, clock: Clock): void {
  const detail = `there is no CONNECT ${request.url ?? ''}`;
  refuseOnSocket(new PosthornError('POSTHORN_METHOD_UNKNOWN', { detail }), socket, clock);
}

/** Answers an `expect` other than `100-continue` (RFC 9110, section 10.1.1). */
export function answerExpectation(
  request: IncomingMessage,
  response: ServerResponse,
  clock: Clock,
): void {
  const detail = `expect: ${request.headers.expect ?? ''} cannot be met; only 100-continue can`;
  const { fault, headers, body } = problemAnswer(
    new PosthornError('POSTHORN_EXPECTATION_FAILED', { detail }),
    (request.url ?? '').split('?', 1)[0] as string,
    clock,
  );
  response.writeHead(fault.status, headers).end(body);
}

/**
 * A request line of HTTP/1.1 with a method that the parser does not know (RFC 9110, section 9.1).
 */
const OTHER_METHOD = /^[!#$%&'*+.^_`|~\w-]+ \S+ HTTP\/1\.[01]\r?\n/;
/** A request line whose target alone exceeds the limit. */
const LONG_TARGET = new RegExp(`^[A-Z]+ \\S{${limits.requestTargetLengthMax + 1}}`);

/** A request line of another version than HTTP/1.x. */
const VERSIONED = /^[!#$%&'*+.^_`|~\w-]+ \S+ HTTP\/(?!1\.[01]\r?\n)(\d+(?:\.\d+)?)\r?\n/;

/** Returns the version that the request line names, if the parser stopped at it. */
function versionOf(error: Error & { code?: string }): string | undefined {
  // The parser stops at the whole preface only, which may arrive in several parts.
  if (error.code === 'HPE_PAUSED_H2_UPGRADE') return '2.0';
  const { rawPacket } = error as { rawPacket?: unknown };
  if (error.code !== 'HPE_INVALID_VERSION' || !Buffer.isBuffer(rawPacket)) return undefined;
  return VERSIONED.exec(rawPacket.toString('latin1'))?.[1];
}

/** Reads the code from the request line, if one code of the parser covers several faults. */
function codeOfHead(error: Error & { code?: string }): ErrorCode | undefined {
  // The bytes that arrived last. Fastify's type for it is wrong.
  const { rawPacket } = error as { rawPacket?: unknown };
  if (!Buffer.isBuffer(rawPacket)) return undefined;
  const head = rawPacket.toString('latin1');
  if (error.code === 'HPE_INVALID_METHOD' && OTHER_METHOD.test(head))
    return 'POSTHORN_METHOD_UNKNOWN';
  if (error.code === 'HPE_HEADER_OVERFLOW' && LONG_TARGET.test(head))
    return 'POSTHORN_URL_TOO_LONG';
  return undefined;
}

function refuseOnSocket(error: PosthornError, socket: Duplex, clock: Clock): void {
  const { fault, headers, body } = problemAnswer(error, '', clock);
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(
    `HTTP/1.1 ${fault.status} ${STATUS_CODES[fault.status]}\r\n${lines.join('')}\r\n${body}`,
  );
}

function problemAnswer(fault: PosthornError, instance: string, clock: Clock) {
  const requestId = newId('req', clock.wallMs());
  const body = JSON.stringify(problemOf(fault, instance, requestId));
  const headers = {
    'content-type': PROBLEM_MEDIA_TYPE,
    'x-request-id': requestId,
    'content-length': String(Buffer.byteLength(body)),
    connection: 'close',
  };
  return { fault, headers, body };
}
