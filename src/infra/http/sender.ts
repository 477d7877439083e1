/**
 * Sends one request and gathers what came back, whatever it was: the outcome is a value, never thrown. No
 * redirects are followed. What is read of an answer is bounded in bytes; the caller's signal bounds the
 * time of the whole exchange, the body included.
 */
import type { SecureContext } from 'node:tls';
import { Client } from 'undici';
import { limits } from '#domain/limits.ts';
import type { EgressGuard } from '#domain/egress.ts';
import { type Connection, Connections } from './connections.ts';
import {
  Exchange,
  type ExchangeEnd,
  type ExchangeRules,
  type SendResult,
} from './exchange/exchange.ts';
import { LenientClient } from './exchange/lenient-client.ts';
import type { OriginMemory } from './exchange/lenient-origins.ts';
import { guardedDials } from './guarded-connector.ts';
import type { FindAddresses } from './name-lookups.ts';

export type { SendResult } from './exchange/exchange.ts';

export interface SendRequest {
  path: string;
  /** Names and values in turn. */
  headers: string[];
  body: Uint8Array;
  signal: AbortSignal;
}

export interface SenderOptions {
  origin: string;
  guard: EgressGuard;
  findAddresses: FindAddresses;
  lenientOrigins: OriginMemory;
  /** Of a dial. */
  timeoutMs: number;
  /** What TLS shows and trusts; absent: no client certificate, and what Node trusts. */
  secureContext?: SecureContext;
  /** How much of an answer is kept; absent: `limits.responseBodyKeptBytesMax`. */
  bodyKeptBytesMax?: number;
}

/**
 * The connections to one origin for one tenant: a tenant whose receivers hang uses up only its own. undici sends, until
 * an answer comes that its parser refuses: that exchange fails, and the next ones are the lenient client's. Both
 * dial in the same way.
 */
export class Sender {
  private readonly origin: string;
  private readonly lenientOrigins: OriginMemory;
  private readonly connections: Connections;
  private readonly lenient: Connections;
  private readonly rules: ExchangeRules;
  /** Dials that wait for the address. */
  private lookingUp = 0;

  constructor(options: SenderOptions) {
    const { origin, guard, timeoutMs, secureContext } = options;
    const findAddresses: FindAddresses = (hostname, limitMs, found) => {
      this.lookingUp++;
      options.findAddresses(hostname, limitMs, (error, addresses) => {
        this.lookingUp--;
        found(error, addresses);
      });
    };
    this.origin = origin;
    this.lenientOrigins = options.lenientOrigins;
    this.rules = {
      keptBytesMax: options.bodyKeptBytesMax ?? limits.responseBodyKeptBytesMax,
      isTls: origin.startsWith('https:'),
      isLookingUp: () => this.lookingUp > 0,
    };
    const newDial = guardedDials({ guard, findAddresses, timeoutMs, secureContext });
    this.connections = new Connections(newDial, (connect) => {
      return new Client(origin, { ...CLIENT_OPTIONS, connect });
    });
    this.lenient = new Connections(newDial, (connect) => new LenientClient(origin, connect));
  }

  /**
   * Sends, and sends once more, on a new connection, where the kept-alive one was closed without a byte of this answer:
   * the receiver closed it while the request was on its way. The result says so.
   */
  async send(request: SendRequest): Promise<SendResult> {
    const connections = this.lenientOrigins.has(this.origin) ? this.lenient : this.connections;
    const first = await this.exchange(connections, connections.take(), request);
    if (!first.isStale || request.signal.aborted) return first.result;
    const repeatedAtMs = performance.now();
    const again = await this.exchange(connections, connections.open(), request);
    return again.isSent ? { ...again.result, repeatedAtMs } : again.result;
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
    const { path, headers, body, signal } = request;
    return new Promise((resolve) => {
      const exchange = new Exchange(signal, this.rules, connection, (end) => {
        if (end.isWhole) connections.giveBack(connection);
        else connections.discard(connection);
        if (end.needsLenient) this.lenientOrigins.add(this.origin);
        resolve(end);
      });
      // A raised signal tells nobody: waiting for it would be for ever.
      if (signal.aborted) return exchange.onTimeout();
      try {
        connection.send({ method: 'POST', path, headers, body }, exchange);
      } catch (error) {
        exchange.onResponseError(undefined, error as Error);
      }
    });
  }
}

const CLIENT_OPTIONS: Client.Options = {
  pipelining: 1,
  // The attempt's own time limit covers these.
  headersTimeout: 0,
  bodyTimeout: 0,
  keepAliveTimeout: 30_000,
  keepAliveMaxTimeout: 300_000,
  maxHeaderSize: limits.responseHeadersBytesMax,
};
