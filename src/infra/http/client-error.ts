import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { PosthornError } from '#domain/errors.ts';
import { newId } from '#domain/ids.ts';
import { PROBLEM_MEDIA_TYPE, problemOf } from '#wire/problem.ts';

/** https://nodejs.org/api/http.html#event-clienterror */
const errorCodes = {
  ERR_HTTP_REQUEST_TIMEOUT: 'POSTHORN_REQUEST_TIMEOUT',
  HPE_HEADER_OVERFLOW: 'POSTHORN_HEADERS_TOO_LARGE',
} as const;

/** Answers what is not a whole HTTP request; there is no route and no reply object for it. */
export function answerClientError(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed || !socket.writable) {
    socket.destroy();
    return;
  }
  const code = errorCodes[error.code as keyof typeof errorCodes] ?? 'POSTHORN_REQUEST_INVALID';
  const fault = new PosthornError(code);
  const requestId = newId('req');
  const body = JSON.stringify(problemOf(fault, '', requestId));
  socket.end(
    `HTTP/1.1 ${fault.status} ${STATUS_CODES[fault.status]}\r\n` +
      `content-type: ${PROBLEM_MEDIA_TYPE}\r\nx-request-id: ${requestId}\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
}
