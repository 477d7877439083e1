/**
 * Caches the OAuth 2 access tokens of a worker's endpoints. The first attempt that needs a token
 * requests it, and the token is kept until shortly before it expires. Each endpoint has at most one
 * request in flight; all its attempts wait for that request, each within its own time limit. A
 * token belongs to the credentials that it was requested with: a new write of the credentials, even
 * with the same values, requests a new token (ADR 0015).
 *
 * States of an entry: empty -> requesting -> cached (empty after a failure) -> empty, when the
 * token expires or the receiver rejects it. Tokens are in memory only: a worker that restarts
 * requests them again. Limits: `limits.accessTokensMax`, of which each tenant has at most its
 * share; beyond that, its least recently used entry is evicted.
 */
import { limits } from '#domain/limits.ts';
import { SharedLru } from '#domain/bounds/shared-lru.ts';
import type { OAuth2Credentials } from '#domain/endpoint/outbound-credentials.ts';
import type { TokenAnswer } from '#infra/http/client/request-access-token.ts';

export interface AccessTokensDeps {
  request: (credentials: OAuth2Credentials, tenant: string) => Promise<TokenAnswer>;
  /** Monotonic milliseconds. */
  now: () => number;
  /** Called with the outcome of each request that left this machine. */
  onAnswer: (ok: boolean) => void;
  isResolverDown: () => boolean;
}

export interface TokenOwner {
  tenant: string;
  /** Unique across all tenants. */
  endpoint: string;
  /** Changes with each write of the credentials. */
  revision: string;
  credentials: OAuth2Credentials;
}

export type AccessToken =
  /** `kept`: the token came from the cache, and the receiver may have revoked it since. */
  { ok: true; token: string; kept: boolean } | Extract<TokenAnswer, { ok: false }>;

interface Entry {
  revision: string;
  token: string | undefined;
  expiresAtMs: number;
  pending: Promise<TokenAnswer> | undefined;
}

const TOO_LATE = {
  ok: false,
  detail: 'the token endpoint gave no token in time',
  retryAfterMs: undefined,
} as const;

export class AccessTokens {
  private readonly deps: AccessTokensDeps;
  private readonly entries = new SharedLru<Entry>({ max: limits.accessTokensMax });

  constructor(deps: AccessTokensDeps) {
    this.deps = deps;
  }

  /** @param signal ends the wait, not the request: its token may serve the next attempt */
  async take(owner: TokenOwner, signal: AbortSignal): Promise<AccessToken> {
    if (signal.aborted) return TOO_LATE;
    const entry = this.entryOf(owner);
    if (entry.token !== undefined && this.deps.now() < entry.expiresAtMs) {
      return { ok: true, token: entry.token, kept: true };
    }
    entry.pending ??= this.request(entry, owner);
    const answer = await untilAborted(entry.pending, signal);
    if (answer === undefined) {
      return this.deps.isResolverDown() ? { ...TOO_LATE, localFault: 'resolver' } : TOO_LATE;
    }
    return answer.ok ? { ok: true, token: answer.token, kept: false } : answer;
  }

  /** Drops a token that the receiver rejected, unless a newer one has replaced it. */
  drop(owner: TokenOwner, token: string): void {
    const entry = this.entries.peek(owner.endpoint);
    if (entry?.token === token) entry.token = undefined;
  }

  private entryOf({ tenant, endpoint, revision }: TokenOwner): Entry {
    const known = this.entries.get(endpoint);
    if (known?.revision === revision) return known;
    const entry = { revision, token: undefined, expiresAtMs: 0, pending: undefined };
    this.entries.set(tenant, endpoint, entry);
    return entry;
  }

  private async request(entry: Entry, { credentials, tenant }: TokenOwner): Promise<TokenAnswer> {
    const askedMs = this.deps.now();
    try {
      const answer = await this.deps.request(credentials, tenant);
      if (answer.ok || answer.localFault === undefined) this.deps.onAnswer(answer.ok);
      if (answer.ok) {
        entry.token = answer.token;
        entry.expiresAtMs = askedMs + answer.keepMs;
      }
      return answer;
    } finally {
      entry.pending = undefined;
    }
  }
}

function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => resolve(undefined);
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
