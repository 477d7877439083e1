import { limits } from '#domain/limits.ts';
import { parseTargetUrl } from '#domain/endpoint/target-url/target-url.ts';
import { mayBePlain } from '#domain/endpoint/egress.ts';
import type { AttemptOutcome } from '#domain/outcome/delivery.ts';
import type { LocalFault } from '../dial/local-fault.ts';
import type { OAuth2Credentials } from '#domain/endpoint/outbound-credentials.ts';
import { type SendRequest, type SendResult, Sender, type SenderOptions } from './sender.ts';

export type TokenAnswer =
  | {
      ok: true;
      token: string;
      /** How long the token may be kept, counted from the request. */
      keepMs: number;
    }
  | {
      ok: false;
      detail: string;
      /** The endpoint's `Retry-After`. */
      retryAfterMs: number | undefined;
      /** Set if a fault of this machine kept the request from being sent. */
      localFault?: LocalFault;
    };

const DEFAULT_EXPIRES_SECONDS = 300;
const KEEP_SECONDS_MAX = 24 * 3600;
/** A token is dropped this long before its end, or at nine tenths of its life if that is later. */
const MARGIN_SECONDS_MAX = 60;

/**
 * Requests an access token from a token endpoint with client credentials (RFC 6749, section 4.4).
 * The dialled address is checked as a webhook's is, redirects are not followed, and time, answer
 * and token are bounded. Faults are returned as values. They reveal nothing of the secret and
 * nothing of the endpoint's answer.
 *
 * @param options.timeoutMs time limit of the whole exchange
 */
export async function requestAccessToken(
  credentials: OAuth2Credentials,
  options: Pick<
    SenderOptions,
    'guard' | 'lookUpAddresses' | 'isResolverDown' | 'lenientOrigins' | 'timeoutMs' | 'clock'
  >,
): Promise<TokenAnswer> {
  const parsed = parseTargetUrl(credentials.tokenUrl);
  if (!parsed.ok) return failed(`has a URL that cannot be used: it ${parsed.fault}`);
  const { origin, protocol, hostname, path } = parsed.url;
  const isAllowedPrivate = (address: string): boolean => options.guard.isAllowedPrivate(address);
  if (protocol === 'http:' && !mayBePlain(hostname, isAllowedPrivate)) {
    return failed('must be https: its network is not one that the operator named');
  }
  // For this exchange alone: tokens are requested rarely, and two secrets never share a connection.
  const bodyKeptBytesMax = limits.tokenAnswerBytesMax + 1;
  const sender = new Sender({ ...options, origin, bodyKeptBytesMax });
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), options.timeoutMs);
  try {
    const request = { ...tokenRequest(credentials), path };
    return readAnswer(await sender.send({ ...request, signal: limit.signal }));
  } finally {
    clearTimeout(timer);
    sender.close();
  }
}

function tokenRequest(credentials: OAuth2Credentials): Omit<SendRequest, 'signal' | 'path'> {
  const { clientId, clientSecret, scope, audience } = credentials;
  const form = new URLSearchParams({ grant_type: 'client_credentials' });
  if (scope !== undefined) form.set('scope', scope);
  if (audience !== undefined) form.set('audience', audience);
  const headers = ['content-type', 'application/x-www-form-urlencoded'];
  headers.push('accept', 'application/json');
  if (credentials.authMethod === 'client_secret_post') {
    form.set('client_id', clientId);
    form.set('client_secret', clientSecret);
  } else {
    // Both are form-encoded before they are joined (RFC 6749, section 2.3.1).
    const pair = `${formEncoded(clientId)}:${formEncoded(clientSecret)}`;
    headers.push('authorization', `Basic ${Buffer.from(pair).toString('base64')}`);
  }
  return { headers, body: Buffer.from(form.toString()) };
}

function formEncoded(text: string): string {
  return new URLSearchParams({ '': text }).toString().slice(1);
}

function readAnswer({ outcome, note, responseBody, localFault }: SendResult): TokenAnswer {
  if (!outcome.ok) {
    const answer = failed(refusal(outcome, responseBody), outcome.retryAfterMs);
    return localFault === undefined ? answer : { ...answer, localFault };
  }
  if (responseBody.length > limits.tokenAnswerBytesMax) {
    return failed(`answered more than ${limits.tokenAnswerBytesMax} bytes`);
  }
  if (note !== undefined) return failed(`sent an incomplete answer: ${note}`);
  const answer = jsonObject(responseBody);
  if (answer === undefined) return failed('did not answer a JSON object');
  const { access_token: token, token_type: type, expires_in: expiresIn } = answer;
  // RFC 6749 requires a type; many servers omit it and mean Bearer.
  if (type !== undefined && !(typeof type === 'string' && type.toLowerCase() === 'bearer')) {
    return failed('returned a token of a type other than Bearer');
  }
  if (typeof token !== 'string' || token === '') return failed('answered no access_token');
  if (token.length > limits.accessTokenLengthMax) {
    return failed(`returned a token longer than ${limits.accessTokenLengthMax} characters`);
  }
  if (!/^[\x21-\x7e]+$/.test(token))
    return failed('returned a token that is not valid in a header field');
  return { ok: true, token, keepMs: keepMs(expiresIn) };
}

function keepMs(expiresIn: unknown): number {
  const given = typeof expiresIn === 'string' && /^\d{1,10}$/.test(expiresIn);
  const seconds =
    given || typeof expiresIn === 'number' ? Number(expiresIn) : DEFAULT_EXPIRES_SECONDS;
  const margin = Math.min(MARGIN_SECONDS_MAX, seconds / 10);
  return Math.max(0, Math.min(seconds - margin, KEEP_SECONDS_MAX)) * 1000;
}

/** The codes of RFC 6749, section 5.2. Any other text might repeat the request. */
const KNOWN_ERRORS = new Set([
  'invalid_request',
  'invalid_client',
  'invalid_grant',
  'unauthorized_client',
  'unsupported_grant_type',
  'invalid_scope',
]);

function refusal(outcome: AttemptOutcome & { ok: false }, body: Buffer): string {
  if (outcome.kind === 'redirect') return `answered ${outcome.status}; redirects are not followed`;
  if (outcome.kind !== 'http_status') {
    return `did not return a token: ${outcome.kind}: ${outcome.detail}`;
  }
  const code = jsonObject(body)?.['error'];
  const known = typeof code === 'string' && KNOWN_ERRORS.has(code) ? ` (${code})` : '';
  return `answered ${outcome.status}${known}`;
}

function jsonObject(body: Buffer): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(body.toString());
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function failed(fault: string, retryAfterMs?: number): TokenAnswer & { ok: false } {
  return { ok: false, detail: `the token endpoint ${fault}`, retryAfterMs };
}
