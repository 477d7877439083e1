/**
 * Lets producers into NATS with their API keys (IN-4): nats-server asks for each new connection that is not one
 * of the platform's own (auth callout, ADR-26 of nats-architecture-and-design), and gets a user for it, or why not.
 *
 * A user is good for an hour, or until its key expires: then nats-server closes the connection, the client dials
 * again, and a key that was revoked meanwhile is refused. While no process answers, nobody new comes in; who is in stays.
 */
import type { Msg, NatsConnection, Subscription } from '@nats-io/nats-core';
import { isPosthornError } from '#domain/errors.ts';
import { newId } from '#domain/ids.ts';
import { type Authenticate, keyHash } from '#infra/http/server/authenticate.ts';
import type { Log } from '#infra/telemetry/log.ts';
import type { Service } from '#infra/service.ts';
import type { ConfigView } from '#wire/config-snapshot.ts';
import type { AccountKey } from './account-key.ts';
import { decodeClaims, encodeJwt } from './jwt.ts';
import { producerPermissions } from './producer-permissions.ts';

const SUBJECT = '$SYS.REQ.USER.AUTH';
const QUEUE_GROUP = 'auth';
const USER_SECONDS_MAX = 3600;
const SUBSCRIPTIONS_MAX = 32;
/** Headers and the text around an event. */
const PAYLOAD_SLACK_BYTES = 128 * 1024;

export interface AuthCalloutDeps {
  nc: NatsConnection;
  authenticate: Authenticate;
  config: Pick<ConfigView, 'apiKey'>;
  /** Signs the users; nats-server knows its public key as the issuer. */
  key: AccountKey;
  /** The account that users are placed in: the platform's. */
  account: string;
  eventBytesMax: number;
  log: Log;
  /** Milliseconds since 1970. */
  now: () => number;
}

/** What nats-server asks. */
interface AuthRequest {
  server: string;
  /** Made by the server for this connection. */
  user: string;
  credential: string | undefined;
}

export class AuthCallout implements Service {
  readonly name = 'auth-callout';
  private readonly deps: AuthCalloutDeps;
  private subscription: Subscription | undefined;

  constructor(deps: AuthCalloutDeps) {
    this.deps = deps;
  }

  async start(): Promise<void> {
    this.subscription = this.deps.nc.subscribe(SUBJECT, {
      queue: QUEUE_GROUP,
      callback: (error, message) => {
        if (error === null) this.take(message);
      },
    });
    await this.deps.nc.flush();
  }

  async stop(): Promise<void> {
    this.subscription?.unsubscribe();
    this.subscription = undefined;
  }

  private take(message: Msg): void {
    let request: AuthRequest;
    try {
      request = readRequest(message.string());
    } catch (error) {
      this.deps.log.warn({ error: (error as Error).message }, 'auth_callout.unreadable');
      return;
    }
    try {
      this.respond(message, request, { jwt: this.userToken(request) });
    } catch (error) {
      if (!isPosthornError(error)) this.deps.log.error({ err: error }, 'auth_callout.failed');
      const code = isPosthornError(error) ? error.code : 'POSTHORN_UNEXPECTED';
      this.deps.log.info({ code }, 'auth_callout.refused');
      this.respond(message, request, { error: code });
    }
  }

  /** @throws PosthornError where the key does not let a producer in */
  private userToken({ user, credential }: AuthRequest): string {
    const { authenticate, config, key, account, eventBytesMax, now } = this.deps;
    const principal = authenticate(credential === undefined ? undefined : `Bearer ${credential}`);
    const { publish, subscribe } = producerPermissions(principal);
    const nowSeconds = Math.floor(now() / 1000);
    const expiresAtMs = config.apiKey(keyHash(credential ?? ''))?.expiresAtMs;
    const keySeconds = Math.floor((expiresAtMs ?? Number.POSITIVE_INFINITY) / 1000);
    const claims = {
      jti: newId('req'),
      iat: nowSeconds,
      iss: key.publicKey,
      sub: user,
      aud: account,
      name: principal.keyId,
      exp: Math.min(nowSeconds + USER_SECONDS_MAX, keySeconds),
      nats: {
        pub: { allow: publish },
        sub: { allow: subscribe },
        subs: SUBSCRIPTIONS_MAX,
        data: -1,
        payload: eventBytesMax + PAYLOAD_SLACK_BYTES,
        type: 'user',
        version: 2,
      },
    };
    return encodeJwt(claims, key);
  }

  private respond(
    message: Msg,
    { server, user }: AuthRequest,
    answer: { jwt: string } | { error: string },
  ): void {
    const { key, now } = this.deps;
    const claims = {
      jti: newId('req'),
      iat: Math.floor(now() / 1000),
      iss: key.publicKey,
      sub: user,
      aud: server,
      nats: { ...answer, type: 'authorization_response', version: 2 },
    };
    try {
      message.respond(encodeJwt(claims, key));
    } catch (error) {
      // The connection is closed: the client that wanted in dials again.
      this.deps.log.warn({ error: (error as Error).message }, 'auth_callout.no_answer');
    }
  }
}

/** The API key is the token, or the password beside any user name. */
function readRequest(token: string): AuthRequest {
  const { nats } = decodeClaims(token) as {
    nats?: {
      server_id?: { id?: string };
      user_nkey?: string;
      connect_opts?: { auth_token?: string; pass?: string };
    };
  };
  const server = nats?.server_id?.id;
  const user = nats?.user_nkey;
  if (server === undefined || user === undefined) throw new SyntaxError('not an auth request');
  const options = nats?.connect_opts;
  const credential = options?.auth_token || options?.pass;
  return { server, user, credential: credential || undefined };
}
