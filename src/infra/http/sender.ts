/**
 * Sends one request and gathers what came back, whatever it was: the outcome is a value, never thrown. No
 * redirects are followed. What is read of an answer is bounded in bytes; the caller's signal bounds the
 * time of the whole exchange, the body included.
 */
import type { SecureContext } from 'node:tls';
import type { Dispatcher } from 'undici';
import { limits } from '#domain/limits.ts';
import type { AttemptOutcome } from '#domain/delivery.ts';
import type { EgressGuard } from '#domain/egress.ts';
import { Connections } from './connections.ts';
import { type Fault, classifyFault, faults } from './exchange/fault.ts';
import { guardedDials } from './guarded-connector.ts';
import type { FindAddresses } from './name-lookups.ts';
import { retryAfterMs } from './retry-after.ts';

export interface SendRequest {
  path: string;
  /** Names and values in turn. */
  headers: string[];
  body: Uint8Array;
  signal: AbortSignal;
}

export interface SendResult {
  outcome: AttemptOutcome;
  /** A kept-alive connection that the receiver had closed: nothing of an answer came, safe to send at once again. */
  stale: boolean;
  responseHeaders: Record<string, string | string[] | undefined> | undefined;
  /** The first bytes of the answer's body. */
  responseBody: Buffer;
}

export interface SenderOptions {
  origin: string;
  guard: EgressGuard;
  findAddresses: FindAddresses;
  /** Of a dial. */
  timeoutMs: number;
  /** What TLS shows and trusts; absent: no client certificate, and what Node trusts. */
  secureContext?: SecureContext;
  /** How much of an answer is kept; absent: `limits.responseBodyKeptBytesMax`. */
  bodyKeptBytesMax?: number;
}

/** The connections to one origin for one tenant: a tenant whose receivers hang uses up only its own. */
export class Sender {
  private readonly connections: Connections;
  private readonly rules: ExchangeRules;
  /** Dials that wait for the address. */
  private lookingUp = 0;

  constructor(options: SenderOptions) {
    const { guard, timeoutMs, secureContext } = options;
    const findAddresses: FindAddresses = (hostname, limitMs, found) => {
      this.lookingUp++;
      options.findAddresses(hostname, limitMs, (error, addresses) => {
        this.lookingUp--;
        found(error, addresses);
      });
    };
    this.rules = {
      keptBytesMax: options.bodyKeptBytesMax ?? limits.responseBodyKeptBytesMax,
      isTls: options.origin.startsWith('https:'),
      isLookingUp: () => this.lookingUp > 0,
    };
    const newDial = guardedDials({ guard, findAddresses, timeoutMs, secureContext });
    this.connections = new Connections(options.origin, newDial, {
      pipelining: 1,
      // The attempt's own time limit covers these.
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: 30_000,
      keepAliveMaxTimeout: 300_000,
      maxHeaderSize: limits.responseHeadersBytesMax,
    });
  }

  send(request: SendRequest): Promise<SendResult> {
    return new Promise((resolve) => {
      const connection = this.connections.take();
      const exchange = new Exchange(request.signal, this.rules, (result, isWhole) => {
        if (isWhole) this.connections.giveBack(connection);
        else this.connections.discard(connection);
        resolve(result);
      });
      // A raised signal tells nobody: waiting for it would be for ever.
      if (request.signal.aborted) return exchange.onTimeout();
      try {
        connection.dispatch(
          { method: 'POST', path: request.path, headers: request.headers, body: request.body },
          exchange,
        );
      } catch (error) {
        exchange.onResponseError(undefined, error as Error);
      }
    });
  }

  close(): void {
    this.connections.destroy();
  }
}

/** What all exchanges of a sender have in common. */
interface ExchangeRules {
  keptBytesMax: number;
  isTls: boolean;
  /** Whether connections to the receiver wait for its address. */
  isLookingUp: () => boolean;
}

/** @param isWhole the answer ended as HTTP says, so the connection can serve another exchange */
type Settle = (result: SendResult, isWhole: boolean) => void;

/** undici's handler of one exchange; settles once, at the first of: end, error, time limit, byte limit. */
class Exchange implements Dispatcher.DispatchHandler {
  private readonly signal: AbortSignal;
  private readonly rules: ExchangeRules;
  private readonly onSettled: Settle;
  private started = false;
  private status = 0;
  private headers: SendResult['responseHeaders'];
  private readonly chunks: Buffer[] = [];
  private keptBytes = 0;
  private readBytes = 0;
  private settled = false;

  constructor(signal: AbortSignal, rules: ExchangeRules, onSettled: Settle) {
    this.signal = signal;
    this.rules = rules;
    this.onSettled = onSettled;
    signal.addEventListener('abort', this.onTimeout);
  }

  readonly onTimeout = (): void => {
    if (!this.started && this.rules.isLookingUp()) {
      this.settle(this.failure(faults.nameLate));
      return;
    }
    this.settle(this.failure(this.status === 0 ? faults.noAnswer : faults.bodyLate));
  };

  onRequestStart(): void {
    this.started = true;
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: SendResult['responseHeaders'],
  ): void {
    if (status < 100) return this.settle(this.failure(faults.notValid));
    if (status === 101) return this.settle(this.failure(faults.switched));
    if (status < 200) return;
    this.status = status;
    this.headers = headers;
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.readBytes += chunk.length;
    const room = this.rules.keptBytesMax - this.keptBytes;
    if (room > 0) {
      const kept = chunk.subarray(0, room);
      this.chunks.push(kept);
      this.keptBytes += kept.length;
    }
    if (this.readBytes > limits.responseBodyReadBytesMax) {
      // The status has been said; the rest of an endless answer is not worth its bytes.
      this.settle(this.answered());
    }
  }

  onResponseEnd(): void {
    this.settle(this.answered(), { isWhole: true });
  }

  onResponseError(_controller: Dispatcher.DispatchController | undefined, error: Error): void {
    if (this.settled) return;
    const phase = this.started ? 'exchange' : 'dial';
    const fault = classifyFault(error, phase, this.rules.isTls);
    const stale = fault.kind === 'reset' && isStale(error, this.status);
    this.settle(this.failure(fault), { stale });
  }

  private answered(): AttemptOutcome {
    const { status } = this;
    if (status >= 200 && status < 300) return { ok: true, status };
    const redirect = status >= 300 && status < 400;
    return {
      ...this.failure({
        kind: redirect ? 'redirect' : 'http_status',
        detail: `the receiver answered ${status}`,
      }),
      retryAfterMs: retryAfterMs(this.headers?.['retry-after'], Date.now()),
    };
  }

  private failure({ kind, detail }: Fault): AttemptOutcome & { ok: false } {
    const status = this.status === 0 ? undefined : this.status;
    return { ok: false, kind, status, detail, retryAfterMs: undefined };
  }

  private settle(outcome: AttemptOutcome, { stale = false, isWhole = false } = {}): void {
    if (this.settled) return;
    this.settled = true;
    this.signal.removeEventListener('abort', this.onTimeout);
    const { headers: responseHeaders, chunks } = this;
    const responseBody = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
    this.onSettled({ outcome, stale, responseHeaders, responseBody }, isWhole);
  }
}

/** The connection had served before (bytes were read from it) and this request got none. */
function isStale(error: Error, status: number): boolean {
  const socket = (error as { socket?: { bytesRead?: number } }).socket;
  return status === 0 && (socket?.bytesRead ?? 0) > 0;
}
