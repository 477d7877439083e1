/**
 * The OAuth 2 access tokens of a worker's endpoints: asked for by the first attempt that needs one, kept until
 * shortly before they end. One request is under way for an endpoint at most, and all its attempts wait for it,
 * each no longer than its own time limit. A token belongs to the credentials it was got with: others, or
 * the same written again, get another (ADR 0015).
 *
 * States of an entry: nothing kept -> asked for -> kept (or nothing kept, where it failed) -> nothing kept, when
 * it ends or the receiver refused it. In memory only: a worker that starts asks anew. Limits:
 * `limits.accessTokensMax`, of which a tenant has at most its share; beyond it its least recently used entry goes.
 */
import { limits } from '#domain/limits.ts';
import { SharedLru } from '#domain/bounds/shared-lru.ts';
import type { OAuth2Credentials } from '#domain/endpoint/outbound-credentials.ts';
import type { TokenAnswer } from '#infra/http/client/request-access-token.ts';

export interface AccessTokensDeps {
  request: (credentials: OAuth2Credentials, tenant: string) => Promise<TokenAnswer>;
  /** Monotonic, in milliseconds. */
  now: () => number;
  /** Told the outcome of each request that left this machine. */
  onAnswer: (ok: boolean) => void;
  isResolverDown: () => boolean;
}

export interface TokenOwner {
  tenant: string;
  /** Tells endpoints of all tenants apart. */
  endpoint: string;
  /** Another after each write of the credentials. */
  revision: string;
  credentials: OAuth2Credentials;
}

export type AccessToken =
  /** `kept`: it was there before; the receiver may have ended it since. */
  { ok: true; token: string; kept: boolean } | Extract<TokenAnswer, { ok: false }>;

interface Entry {
  revision: string;
  token: string | undefined;
  goodUntilMs: number;
  asking: Promise<TokenAnswer> | undefined;
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

  /** @param signal ends the waiting, not the request: the token may serve the next attempt */
  async take(owner: TokenOwner, signal: AbortSignal): Promise<AccessToken> {
    if (signal.aborted) return TOO_LATE;
    const entry = this.entryOf(owner);
    if (entry.token !== undefined && this.deps.now() < entry.goodUntilMs) {
      return { ok: true, token: entry.token, kept: true };
    }
    entry.asking ??= this.ask(entry, owner);
    const answer = await untilAborted(entry.asking, signal);
    if (answer === undefined) {
      return this.deps.isResolverDown() ? { ...TOO_LATE, localFault: 'resolver' } : TOO_LATE;
    }
    return answer.ok ? { ok: true, token: answer.token, kept: false } : answer;
  }

  /** The receiver refused this token; another that came meanwhile stays. */
  drop(owner: TokenOwner, token: string): void {
    const entry = this.entries.peek(owner.endpoint);
    if (entry?.token === token) entry.token = undefined;
  }

  private entryOf({ tenant, endpoint, revision }: TokenOwner): Entry {
    const known = this.entries.get(endpoint);
    if (known?.revision === revision) return known;
    const entry = { revision, token: undefined, goodUntilMs: 0, asking: undefined };
    this.entries.set(tenant, endpoint, entry);
    return entry;
  }

  private async ask(entry: Entry, { credentials, tenant }: TokenOwner): Promise<TokenAnswer> {
    const askedMs = this.deps.now();
    try {
      const answer = await this.deps.request(credentials, tenant);
      if (answer.ok || answer.localFault === undefined) this.deps.onAnswer(answer.ok);
      if (answer.ok) {
        entry.token = answer.token;
        entry.goodUntilMs = askedMs + answer.keepMs;
      }
      return answer;
    } finally {
      entry.asking = undefined;
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
