import type { SendRequest, SendResult, Sender } from '#infra/http/client/sender.ts';
import type { EndpointSnapshot } from '#wire/config-snapshot.ts';
import type { OutboundEvent } from '#wire/webhook/webhook-request.ts';
import type { AccessTokens, TokenOwner } from './access-tokens.ts';
import { credentialsFailed, unsent, webhookRequest } from './attempt.ts';
import { type EndpointTarget, type TargetDeps, prepareTarget } from './endpoint-target.ts';
import { hideSecrets } from './hide-secrets.ts';
import type { SenderPool } from './sender-pool.ts';

export interface EndpointSenderDeps {
  senders: SenderPool;
  tokens: AccessTokens;
  targets: TargetDeps;
}

/** Sends one endpoint's webhooks with its prepared target, connections and access token. */
export class EndpointSender {
  private readonly deps: EndpointSenderDeps;
  private readonly tenant: string;
  private target: EndpointTarget | undefined;

  constructor(deps: EndpointSenderDeps, tenant: string) {
    this.deps = deps;
    this.tenant = tenant;
  }

  /**
   * Returns the target of a configuration, prepared once per change. Keeps its connections open
   * until the configuration changes.
   */
  prepare(snapshot: EndpointSnapshot): EndpointTarget {
    if (this.target?.snapshot === snapshot) return this.target;
    const target = prepareTarget(this.tenant, snapshot, this.deps.targets);
    this.deps.senders.acquire(this.tenant, target.destination);
    this.release();
    this.target = target;
    return target;
  }

  /** Releases the connections. Requests in flight still finish on them. */
  release(): void {
    if (this.target === undefined) return;
    this.deps.senders.release(this.tenant, this.target.destination);
    this.target = undefined;
  }

  /** Sends one request to `target`, even if the endpoint's configuration has changed since. */
  send(
    target: EndpointTarget,
    event: OutboundEvent,
    nowMs: number,
    signal: AbortSignal,
    traceparent?: string,
    sequence?: number,
  ): Promise<SendResult> {
    const request = webhookRequest(target, event, nowMs, traceparent, sequence);
    return this.exchange(target, { ...request, signal });
  }

  /**
   * Asks the receiver whether it agrees to get webhooks (CloudEvents webhooks 1.0.2, section 4.1),
   * with the endpoint's headers and credentials.
   *
   * @param origin identifies this platform to the receiver
   */
  handshake(target: EndpointTarget, origin: string, signal: AbortSignal): Promise<SendResult> {
    const headers = [...target.fixedHeaders];
    // Webhooks of the endpoint carry it already.
    if (target.snapshot.requestOrigin === undefined) headers.push('webhook-request-origin', origin);
    const { path } = target.url;
    return this.exchange(target, { method: 'OPTIONS', path, headers, body: NO_BODY, signal });
  }

  private async exchange(target: EndpointTarget, request: SendRequest): Promise<SendResult> {
    const { refusal } = target;
    if (refusal !== undefined) return unsent(refusal.kind, refusal.detail);
    const { senders } = this.deps;
    const sender = senders.acquire(this.tenant, target.destination);
    try {
      const owner = this.tokenOwner(target);
      if (owner !== undefined) return await this.sendWithToken(target, owner, sender, request);
      return hideSecrets(await sender.send(request), target.secretTexts);
    } finally {
      senders.release(this.tenant, target.destination);
    }
  }

  private tokenOwner({ oauth2, snapshot }: EndpointTarget): TokenOwner | undefined {
    if (oauth2 === undefined || snapshot.sealedCredentials === undefined) return undefined;
    return {
      tenant: this.tenant,
      endpoint: `${this.tenant} ${snapshot.id}`,
      // Each write seals the credentials under a new nonce.
      revision: snapshot.sealedCredentials,
      credentials: oauth2,
    };
  }

  /**
   * Sends with the endpoint's access token. Makes exactly one request to the receiver: if it
   * rejects the token, the next attempt gets a new one.
   */
  private async sendWithToken(
    target: EndpointTarget,
    owner: TokenOwner,
    sender: Sender,
    request: SendRequest,
  ): Promise<SendResult> {
    const { tokens } = this.deps;
    const access = await tokens.take(owner, request.signal);
    if (!access.ok) {
      const unsent = credentialsFailed(access.detail, access.retryAfterMs);
      return access.localFault === undefined
        ? unsent
        : { ...unsent, localFault: access.localFault };
    }
    request.headers.push('authorization', `Bearer ${access.token}`);
    const sent = await sender.send(request);
    const result = hideSecrets(sent, [...target.secretTexts, access.token]);
    const { outcome } = result;
    if (outcome.ok || outcome.status !== 401) return result;
    tokens.drop(owner, access.token);
    return access.kept ? { ...result, outcome: { ...outcome, ...TOKEN_REFUSED } } : result;
  }
}

const NO_BODY = Buffer.alloc(0);

const TOKEN_REFUSED = {
  kind: 'credentials_failed',
  detail:
    'the receiver answered 401 to the cached access token; the next attempt requests a new one',
} as const;
