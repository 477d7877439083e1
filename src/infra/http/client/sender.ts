/**
 * Sends requests and returns each outcome as a value, never thrown. Follows no redirects. The bytes
 * of an answer are bounded; the caller's signal bounds the time of the whole exchange, the body
 * included.
 */
import type { SecureContext } from 'node:tls';
import { Client } from 'undici';
import type { Clock } from '#domain/clock.ts';
import { limits } from '#domain/limits.ts';
import type { EgressGuard } from '#domain/endpoint/egress.ts';
import { type Connection, Connections } from './connections.ts';
import {
  Exchange,
  type ExchangeEnd,
  type ExchangeRules,
  type SendResult,
} from '../exchange/exchange.ts';
import { LenientClient } from '../exchange/lenient-client.ts';
import type { OriginMemory } from '../exchange/lenient-origins.ts';
import { guardedDials } from '../dial/guarded-connector.ts';
import type { AddressLookup } from '../dial/dns-cache.ts';

export type { SendResult } from '../exchange/exchange.ts';

export interface SendRequest {
  /** Absent: POST. */
  method?: 'OPTIONS';
  path: string;
  /** Alternating names and values. */
  headers: string[];
  body: Uint8Array;
  signal: AbortSignal;
}

export interface SenderOptions {
  origin: string;
  guard: EgressGuard;
  lookUpAddresses: AddressLookup;
  lenientOrigins: OriginMemory;
  /** Whether look-ups fail because this machine's resolver is down. */
  isResolverDown: () => boolean;
  /** Time limit of a dial. */
  timeoutMs: number;
  clock: Clock;
  /**
   * Client certificate and trusted authorities for TLS; absent: no client certificate, and Node's
   * authorities.
   */
  secureContext?: SecureContext;
  /** How many bytes of an answer are kept; absent: `limits.responseBodyKeptBytesMax`. */
  bodyKeptBytesMax?: number;
}

/**
 * The connections to one origin for one tenant: a tenant whose receivers hang uses up only its own.
 *
 * It sends with undici until undici's parser refuses an answer. That exchange fails, and later ones
 * to the origin use the lenient client. Both clients dial in the same way.
 */
export class Sender {
  private readonly origin: string;
  private readonly clock: Clock;
  private readonly lenientOrigins: OriginMemory;
  private readonly connections: Connections;
  private readonly lenient: Connections;
  private readonly rules: ExchangeRules;
  /** Dials that wait for the address. */
  private lookingUp = 0;

  constructor(options: SenderOptions) {
    const { origin, guard, timeoutMs, secureContext, clock } = options;
    const lookUpAddresses: AddressLookup = (hostname, limitMs, found) => {
      this.lookingUp++;
      options.lookUpAddresses(hostname, limitMs, (error, addresses) => {
        this.lookingUp--;
        found(error, addresses);
      });
    };
    this.origin = origin;
    this.clock = clock;
    this.lenientOrigins = options.lenientOrigins;
    this.rules = {
      keptBytesMax: options.bodyKeptBytesMax ?? limits.responseBodyKeptBytesMax,
      isTls: origin.startsWith('https:'),
      isLookingUp: () => this.lookingUp > 0,
      isResolverDown: options.isResolverDown,
      wallMs: clock.wallMs,
    };
    const newDial = guardedDials({ guard, lookUpAddresses, timeoutMs, secureContext, clock });
    this.connections = new Connections(newDial, (connect) => {
      return new Client(origin, { ...CLIENT_OPTIONS, connect });
    });
    this.lenient = new Connections(newDial, (connect) => new LenientClient(origin, connect));
  }

  /**
   * Sends the request. Repeats it once, on a new connection, if a kept-alive connection closed
   * without a byte of this answer; `repeatedAtMs` of the result shows this.
   */
  async send(request: SendRequest): Promise<SendResult> {
    const connections = this.lenientOrigins.has(this.origin) ? this.lenient : this.connections;
    const first = await this.exchange(connections, connections.acquire(), request);
    if (!first.isStale || request.signal.aborted) return first.result;
    const repeatedAtMs = this.clock.monotonicMs();
    const again = await this.exchange(connections, connections.open(), request);
    if (again.isSent) return { ...again.result, repeatedAtMs };
    // A fault of this machine is no attempt, but the first request was one.
    return again.result.localFault === undefined ? again.result : first.result;
  }

  /** Closes the idle connections. */
  closeIdle(): void {
    this.connections.closeIdle();
    this.lenient.closeIdle();
  }

  close(): void {
    this.connections.destroy();
    this.lenient.destroy();
  }

  private exchange(
    connections: Connections,
    connection: Connection,
    request: SendRequest,
  ): Promise<ExchangeEnd> {
    const { method = 'POST', path, headers, body, signal } = request;
    return new Promise((resolve) => {
      const exchange = new Exchange(signal, this.rules, connection, (end) => {
        if (end.isWhole) connections.release(connection);
        else connections.discard(connection);
        if (end.needsLenient) this.lenientOrigins.add(this.origin);
        resolve(end);
      });
      // A signal that is already aborted emits no event.
      if (signal.aborted) return exchange.onTimeout();
      try {
        connection.send({ method, path, headers, body }, exchange);
      } catch (error) {
        exchange.onResponseError(undefined, error as Error);
      }
    });
  }
}

const CLIENT_OPTIONS: Client.Options = {
  pipelining: 1,
  // The time limit of the attempt covers these.
  headersTimeout: 0,
  bodyTimeout: 0,
  keepAliveTimeout: 30_000,
  keepAliveMaxTimeout: 300_000,
  maxHeaderSize: limits.responseHeadersBytesMax,
};
