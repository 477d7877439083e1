import type { Dispatcher } from 'undici';
import type { AttemptOutcome } from '#domain/outcome/delivery.ts';
import { limits } from '#domain/limits.ts';
import { type LocalFault, localFaultOf } from '../dial/local-fault.ts';
import { resolverDown } from '../dial/resolver-health.ts';
import { retryAfterMs } from '../client/retry-after.ts';
import { type Fault, classifyFault, faults, isUnreadable } from './fault.ts';

export type AnswerHeaders = Record<string, string | string[] | undefined>;

export interface SendResult {
  outcome: AttemptOutcome;
  /**
   * A fault of this machine kept the request from being sent: the attempt says nothing about the
   * receiver.
   */
  localFault?: LocalFault;
  /** Why the body is incomplete, if the answer has a final status. */
  note: string | undefined;
  /** Monotonic time of the repeated request; undefined: the request was sent once at most. */
  repeatedAtMs: number | undefined;
  responseHeaders: AnswerHeaders | undefined;
  /** The first bytes of the answer's body. */
  responseBody: Buffer;
  /** The cause of an outcome of kind `unexpected`, for the log. */
  error?: Error;
}

/** How an exchange ended. */
export interface ExchangeEnd {
  result: SendResult;
  /** The answer ended as HTTP requires, so the connection can serve another exchange. */
  isWhole: boolean;
  /** The request, or a part of it, was written to a connection. */
  isSent: boolean;
  /** A reused connection closed without a byte of this answer: repeat the request. */
  isStale: boolean;
  /** undici refuses an answer like this one; the lenient client may read it. */
  needsLenient: boolean;
}

/** Shared by all exchanges of a sender. */
export interface ExchangeRules {
  keptBytesMax: number;
  isTls: boolean;
  /** Whether connections to the receiver wait for its address. */
  isLookingUp: () => boolean;
  isResolverDown: () => boolean;
  /** Milliseconds since 1970. */
  wallMs: () => number;
}

/** The connection of an exchange. */
export interface ServingConnection {
  /** Exchanges that its socket has completed. */
  readonly served: number;
  /** Bytes read from its socket, after decryption. */
  readonly bytesRead: number;
}

type SettleOptions = Partial<Omit<ExchangeEnd, 'result'>> &
  Pick<Partial<SendResult>, 'note' | 'error'> & { localFault?: LocalFault | undefined };

/** For one answer: interim answers, headers, and body. */
const ANSWER_BYTES_MAX = limits.responseHeadersBytesMax + limits.responseBodyReadBytesMax;

const notes = {
  late: 'the body did not end in time',
  long: `no more than ${limits.responseBodyReadBytesMax} bytes of the body were read`,
  broken: 'the body broke off, or was not as long or as encoded as its headers say',
} as const;

/**
 * One request and its answer. Both clients call it as a handler of undici. Settles once.
 *
 * The final status decides the outcome once its headers are complete. The body is read for the
 * history, within the time limit and `ANSWER_BYTES_MAX`; a fault in it is a note, not a failure.
 */
export class Exchange implements Dispatcher.DispatchHandler {
  private readonly signal: AbortSignal;
  private readonly rules: ExchangeRules;
  private readonly connection: ServingConnection;
  private readonly onSettled: (end: ExchangeEnd) => void;
  private started = false;
  private servedBefore = 0;
  private bytesBefore = 0;
  private receivedContinue = false;
  private status = 0;
  private headers: AnswerHeaders | undefined;
  private readonly chunks: Buffer[] = [];
  private keptBytes = 0;
  private settled = false;

  constructor(
    signal: AbortSignal,
    rules: ExchangeRules,
    connection: ServingConnection,
    onSettled: (end: ExchangeEnd) => void,
  ) {
    this.signal = signal;
    this.rules = rules;
    this.connection = connection;
    this.onSettled = onSettled;
    signal.addEventListener('abort', this.onTimeout);
  }

  readonly onTimeout = (): void => {
    if (this.status !== 0) this.answered(notes.late);
    else if (!this.started && this.rules.isLookingUp()) {
      this.fail(faults.nameLate, this.rules.isResolverDown() ? resolverDown() : undefined);
    } else this.fail(faults.noAnswer);
  };

  /** The connection is open, and the client writes the request next. */
  onRequestStart(): void {
    this.started = true;
    this.servedBefore = this.connection.served;
    this.bytesBefore = this.connection.bytesRead;
  }

  /** Checks the bound after each read, also within an incomplete header. */
  onBytes(): void {
    if (!this.started || this.connection.bytesRead - this.bytesBefore <= ANSWER_BYTES_MAX) return;
    if (this.status !== 0) this.answered(notes.long);
    else this.fail(faults.headersTooLong);
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController | undefined,
    status: number,
    headers: AnswerHeaders,
  ): void {
    if (status < 100) return this.fail(faults.notValid);
    if (status === 101) return this.fail(faults.switched);
    if (status === 100) this.receivedContinue = true;
    if (status < 200) return;
    this.status = status;
    this.headers = headers;
    // A 205 has no content (RFC 9110, section 15.3.6), and many servers omit its length.
    if (status === 205) this.answered();
  }

  onResponseData(_controller: Dispatcher.DispatchController | undefined, chunk: Buffer): void {
    const room = this.rules.keptBytesMax - this.keptBytes;
    if (room <= 0) return;
    const kept = chunk.subarray(0, room);
    this.chunks.push(kept);
    this.keptBytes += kept.length;
  }

  onResponseEnd(): void {
    this.answered(undefined, true);
  }

  onResponseError(_controller: Dispatcher.DispatchController | undefined, error: Error): void {
    if (this.settled) return;
    if (this.status !== 0) this.answered(notes.broken);
    else
      this.fail(classifyFault(error, this.started ? 'exchange' : 'dial', this.rules.isTls), error);
  }

  private answered(note?: string, isWhole = false): void {
    if (this.settled) return;
    const { status } = this;
    const isSuccess = status >= 200 && status < 300;
    this.settle(isSuccess ? { ok: true, status } : this.refusal(status), { note, isWhole });
  }

  private refusal(status: number): AttemptOutcome {
    return {
      ok: false,
      kind: status >= 300 && status < 400 ? 'redirect' : 'http_status',
      status,
      detail: `the receiver answered ${status}`,
      retryAfterMs: retryAfterMs(this.headers?.['retry-after'], this.rules.wallMs()),
    };
  }

  private fail(fault: Fault, error?: Error): void {
    if (this.settled) return;
    const { kind, detail } = fault;
    const isEmpty = this.started && this.connection.bytesRead === this.bytesBefore;
    this.settle(
      { ok: false, kind, detail, status: undefined, retryAfterMs: undefined },
      {
        isStale: kind === 'reset' && isEmpty && this.servedBefore > 0,
        needsLenient: isUnreadable(fault),
        ...(kind === 'unexpected' && error !== undefined ? { error } : {}),
        // Once the request has begun, its bytes may have left: that counts as an attempt, however
        // it ended.
        localFault: this.started || error === undefined ? undefined : localFaultOf(error),
      },
    );
  }

  private settle(outcome: AttemptOutcome, how: SettleOptions): void {
    this.settled = true;
    this.signal.removeEventListener('abort', this.onTimeout);
    const { headers: responseHeaders, chunks } = this;
    const { note, error, localFault, isWhole = false, isStale = false, needsLenient = false } = how;
    const result: SendResult = {
      outcome,
      note,
      repeatedAtMs: undefined,
      responseHeaders,
      responseBody: chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks),
    };
    if (error !== undefined) result.error = error;
    if (localFault !== undefined) result.localFault = localFault;
    this.onSettled({
      result,
      isWhole,
      isSent: this.started,
      isStale,
      needsLenient: needsLenient || this.receivedContinue,
    });
  }
}
