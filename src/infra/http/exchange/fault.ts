import type { AttemptFailureKind } from '#domain/outcome/delivery.ts';
import { limits } from '#domain/limits.ts';
import { ForbiddenAddressError } from '../dial/guarded-connector.ts';

/** Why an exchange has no final status: the kind, and a text that equal faults share. */
export interface Fault {
  kind: AttemptFailureKind;
  detail: string;
}

/** `dial`: until the connection is ready for a request, TLS included; `exchange`: from then on. */
export type Phase = 'dial' | 'exchange';

const NAME_NOT_FOUND = fault('dns', 'the name does not exist');
const NAME_NOT_LOOKED_UP = fault('dns', 'the name servers did not answer');
const NOT_VALID = fault('bad_response', 'the answer is not valid HTTP');

/** Faults that our own code reports too. */
export const faults = {
  nameLate: fault('dns', 'the name was not looked up in time'),
  noAnswer: fault('timeout', 'no answer came in time'),
  notValid: NOT_VALID,
  switched: fault(
    'bad_response',
    'the receiver switched protocols (101), which the request did not ask for',
  ),
  continued: fault(
    'bad_response',
    'the receiver sent 100 Continue, which the request did not ask for; the next attempt reads it',
  ),
  headersTooLong: fault(
    'bad_response',
    `the headers of the answer are longer than ${limits.responseHeadersBytesMax} bytes`,
  ),
} as const;

/** No text quotes the error's message, which may name a port, a thread or bytes of the receiver. */
const BY_CODE: Readonly<Record<string, Fault>> = {
  ENOTFOUND: NAME_NOT_FOUND,
  ENODATA: NAME_NOT_FOUND,
  EAI_AGAIN: NAME_NOT_LOOKED_UP,
  EAI_FAIL: NAME_NOT_LOOKED_UP,
  POSTHORN_NAME_TIMEOUT: faults.nameLate,
  POSTHORN_NAMES_FULL: fault('dns', 'too many names are being looked up'),
  POSTHORN_RESOLVER_DOWN: NAME_NOT_LOOKED_UP,
  ECONNREFUSED: fault('connect', 'the connection was refused (ECONNREFUSED)'),
  EHOSTUNREACH: fault('connect', 'there is no route to the address (EHOSTUNREACH)'),
  ENETUNREACH: fault('connect', 'there is no route to the network (ENETUNREACH)'),
  EADDRNOTAVAIL: fault('connect', 'there is no local address for the connection (EADDRNOTAVAIL)'),
  // A rule of this machine's firewall: it holds until an operator changes it.
  EPERM: fault('connect', 'the connection is not permitted (EPERM)'),
  EACCES: fault('connect', 'the connection is not permitted (EACCES)'),
  ETIMEDOUT: fault('connect', 'no connection was made in time'),
  UND_ERR_CONNECT_TIMEOUT: fault('connect', 'no connection was made in time'),
  UND_ERR_HEADERS_OVERFLOW: faults.headersTooLong,
  POSTHORN_HEADERS_TOO_LONG: faults.headersTooLong,
  POSTHORN_ANSWER_INVALID: NOT_VALID,
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: NOT_VALID,
  ERR_TLS_CERT_ALTNAME_INVALID: fault('tls', 'the certificate is for another name'),
  CERT_HAS_EXPIRED: fault('tls', 'the certificate has expired (CERT_HAS_EXPIRED)'),
};

const CLOSED = fault('reset', 'the receiver closed the connection without a complete answer');

/**
 * A closed connection shows one of these. It depends on whether its end or its reset arrives first,
 * and on whether the process was dialling, writing or reading then. All have one text.
 */
const CLOSED_CODES: ReadonlySet<string> = new Set([
  'ECONNRESET',
  'EPIPE',
  'ECONNABORTED',
  'ENOTCONN',
  'ERR_STREAM_DESTROYED',
  'ERR_STREAM_WRITE_AFTER_END',
]);

/** Errors that undici distinguishes by the message alone. */
const BY_MESSAGE: Readonly<Record<string, Fault>> = {
  'bad upgrade': faults.switched,
  // Its parser refuses 100, and no other interim status.
  'bad response': faults.continued,
};

/** A network that fails under an open connection ends it. */
const NETWORK_CODES: ReadonlySet<string> = new Set([
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENETRESET',
  'ENETDOWN',
]);

/**
 * Maps an error of the network, of TLS or of an HTTP client to a fault. No other code does so.
 *
 * @param isTls whether the connection uses TLS, or would have
 */
export function classifyFault(error: Error, phase: Phase, isTls: boolean): Fault {
  if (error instanceof ForbiddenAddressError) {
    return fault('forbidden_address', 'the host leads to an address that is not public');
  }
  const code = codeOf(error);
  if (code === 'UND_ERR_SOCKET') return BY_MESSAGE[error.message] ?? CLOSED;
  if (CLOSED_CODES.has(code)) return CLOSED;
  if (phase === 'exchange' && NETWORK_CODES.has(code)) return CLOSED;
  const known = BY_CODE[code];
  if (known !== undefined) return known;
  // undici gives some errors of its parser no code, and some answers break its assertions.
  const isParser = error.name === 'HTTPParserError' || code === 'ERR_ASSERTION';
  if (isParser && phase === 'exchange') return NOT_VALID;
  if (isTls && isOfTls(error, code)) {
    return fault('tls', `${code.startsWith('ERR_') ? 'TLS failed' : CERTIFICATE} (${code})`);
  }
  return fault('unexpected', `an unexpected error (${code === '' ? error.name : code})`);
}

const CERTIFICATE = 'the certificate is refused';

/** Whether the lenient client may read an answer with this fault. */
export function isUnreadable(fault: Fault): boolean {
  return fault === faults.notValid || fault === faults.continued;
}

/** Codes of OpenSSL, and codes of certificate verification, which have no prefix. */
function isOfTls(error: Error, code: string): boolean {
  if (/^ERR_(?:SSL|TLS|OSSL)_/.test(code)) return true;
  const isSystem = (error as NodeJS.ErrnoException).syscall !== undefined;
  return !isSystem && /^[A-Z\d_]+$/.test(code) && !/^(?:ERR_|UND_ERR|POSTHORN_)/.test(code);
}

function codeOf(error: Error): string {
  const { code } = error as { code?: unknown };
  if (typeof code !== 'string') return '';
  return code === 'EPROTO' ? openSslCode(error.message) : code;
}

/** The fault of a TLS write is named in the message alone, next to a thread number. */
function openSslCode(message: string): string {
  const reason = /:SSL routines:[^:]*:([^:]+):/.exec(message)?.[1] ?? 'handshake failed';
  return `ERR_SSL_${reason.toUpperCase().replaceAll(' ', '_')}`;
}

function fault(kind: AttemptFailureKind, detail: string): Fault {
  return { kind, detail };
}
