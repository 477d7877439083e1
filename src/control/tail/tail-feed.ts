/**
 * Reads the streams of events and records once for all readers of this process, from the first
 * reader's arrival until the last one leaves. Consumers are ephemeral and ack nothing.
 *
 * States: idle -> starting -> reading -> idle. If a consumer breaks, reading continues after the
 * last message, so nothing is left out while the stream keeps it.
 */
import type { JetStreamManager, JsMsg } from '@nats-io/jetstream';
import { nanos } from '@nats-io/nats-core';
import { pause } from '#infra/retry.ts';
import type { Log } from '#infra/telemetry/log.ts';
import { type TailPosition, tailStreams } from './tail-position.ts';

const RETRY_MS = 1000;
const INACTIVE_MS = 30_000;
/** Between comparisons of the position with the end of the stream. */
const COMPARE_MS = 5000;

export interface TailMessage {
  subject: string;
  seq: number;
  data: Uint8Array;
}

export interface TailFeedDeps {
  shards: number;
  jsm: () => Promise<JetStreamManager>;
  log: Log;
  onMessage: (message: TailMessage) => void;
}

interface Reading {
  stop: AbortController;
  position: Map<string, number>;
  /** Resolves once the position is known. */
  ready: Promise<void>;
}

export class TailFeed {
  private readonly deps: TailFeedDeps;
  private reading: Reading | undefined;

  constructor(deps: TailFeedDeps) {
    this.deps = deps;
  }

  /** The position of the last message that was passed on; empty while nothing is read. */
  get position(): TailPosition {
    return this.reading?.position ?? new Map();
  }

  /**
   * Resolves once messages that are stored from now on are passed on.
   *
   * @throws if NATS does not answer
   */
  async start(): Promise<void> {
    this.reading ??= this.begin();
    const { reading } = this;
    try {
      await reading.ready;
    } catch (error) {
      if (this.reading === reading) this.stop();
      throw error;
    }
  }

  stop(): void {
    this.reading?.stop.abort();
    this.reading = undefined;
  }

  /**
   * Reads the messages of a stream after one sequence, up to another.
   *
   * @throws if NATS does not answer, or the signal aborts
   */
  async readBetween(
    stream: string,
    { after, upTo }: { after: number; upTo: number },
    pass: (message: TailMessage) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    const stop = new AbortController();
    const either = AbortSignal.any([signal, stop.signal]);
    await this.consume(stream, after, either, async (message) => {
      const { subject, seq, data, info } = message;
      if (seq <= upTo) await pass({ subject, seq, data });
      if (seq >= upTo || info.pending === 0) stop.abort();
    });
    signal.throwIfAborted();
  }

  /** The lowest and the highest stored sequence of a stream. */
  async bounds(stream: string): Promise<{ first: number; last: number }> {
    const { state } = await (await this.deps.jsm()).streams.info(stream);
    return { first: state.first_seq, last: state.last_seq };
  }

  private begin(): Reading {
    const stop = new AbortController();
    const position = new Map<string, number>();
    const names = tailStreams(this.deps.shards);
    const ready = Promise.all(
      names.map(async (stream) => {
        position.set(stream, (await this.bounds(stream)).last);
      }),
    ).then(() => {
      for (const stream of names) void this.follow(stream, position, stop.signal);
      return undefined;
    });
    return { stop, position, ready };
  }

  private async follow(
    stream: string,
    position: Map<string, number>,
    signal: AbortSignal,
  ): Promise<void> {
    while (!signal.aborted) {
      const stuck = this.untilStuck(stream, position, signal);
      const either = AbortSignal.any([signal, stuck.signal]);
      try {
        await this.consume(stream, position.get(stream) ?? 0, either, ({ subject, seq, data }) => {
          position.set(stream, seq);
          this.deps.onMessage({ subject, seq, data });
        });
      } catch (error) {
        this.deps.log.warn({ stream, error: (error as Error).message }, 'tail.read_failed');
      }
      stuck.abort();
      if (!signal.aborted) await pause(RETRY_MS, signal);
    }
  }

  /**
   * Aborts once the stream has messages that its consumer does not deliver: the client takes a
   * minute to notice that a consumer died with its server.
   */
  private untilStuck(
    stream: string,
    position: ReadonlyMap<string, number>,
    signal: AbortSignal,
  ): AbortController {
    const stuck = new AbortController();
    const either = AbortSignal.any([signal, stuck.signal]);
    const compare = async (): Promise<void> => {
      let before: number | undefined;
      while (!either.aborted) {
        await pause(COMPARE_MS, either);
        const at = position.get(stream) ?? 0;
        // While NATS does not answer, nothing is known.
        const last = await this.bounds(stream).then(
          (bounds) => bounds.last,
          () => 0,
        );
        if (last > at && before === at && position.get(stream) === at) stuck.abort();
        before = last > at ? at : undefined;
      }
    };
    void compare();
    return stuck;
  }

  private async consume(
    stream: string,
    after: number,
    signal: AbortSignal,
    pass: (message: JsMsg) => Promise<void> | void,
  ): Promise<void> {
    const jsm = await this.deps.jsm();
    // Pushed to an inbox: pulls would need the right to take the messages of every consumer.
    const consumer = await jsm.jetstream().consumers.getPushConsumer(stream, {
      opt_start_seq: after + 1,
      inactive_threshold: nanos(INACTIVE_MS),
    });
    const messages = await consumer.consume();
    const stop = (): void => void messages.close();
    signal.addEventListener('abort', stop);
    if (signal.aborted) stop();
    try {
      for await (const message of messages) {
        if (signal.aborted) break;
        await pass(message);
      }
    } finally {
      signal.removeEventListener('abort', stop);
      await consumer.delete().catch(() => false);
    }
  }
}
