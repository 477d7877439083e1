/**
 * Follows a KV bucket for ever: all that is in it, then every change.
 *
 * A round begins with `onBegin`, gives each entry that is there, calls `onKnown`, and then gives the changes. It
 * ends, and the next begins, where the watch breaks, and where the bucket itself says what the watch does not:
 *
 * - it was deleted, or made anew: the client's own watch hears nothing any more;
 * - it was purged: entries are gone of which no watch is told, so it counts as made anew;
 * - it holds more than the watch has given, at two looks in a row and without a word between them. An entry may be lost
 *   with a connection, and none that follows shows the gap; a watch whose consumer is gone, as after the end of the
 *   server that had it, is made again by the client after more than a minute only.
 *
 * While the bucket is away nothing is called: what was known stays in force (RT-8).
 */
import type { KV, KvWatchEntry } from '@nats-io/kv';
import type { Log } from '#infra/telemetry/log.ts';
import { apiErrorCode, apiErrors } from './api-errors.ts';

const AGAIN_AFTER_MS = 1000;
const LOOK_EVERY_MS = 5000;

export interface BucketWatchDeps {
  open: () => Promise<KV>;
  log: Log;
  /** The stable name of the log line of a watch that broke. */
  failed: string;
  /** A round begins: what follows is all there is. `anew`: the bucket is another one than before. */
  onBegin: (kv: KV, anew: boolean) => void;
  onEntry: (entry: KvWatchEntry) => void;
  /** All that was there when the round began has been given. */
  onKnown: () => void;
}

interface BucketState {
  messages: number;
  last_seq: number;
}

interface Round {
  kv: KV;
  /** When the bucket was made. */
  created: string;
  /** In the bucket, when it was last looked at. */
  messages: number;
  /** The newest that the watch has given, or that was there before it began. */
  revision: number;
  /** Entries so far. */
  given: number;
  /** All that was there when the round began has been given. */
  isKnown: boolean;
  /** How many were given when the last look found it behind; undefined: it was not. */
  behindAt: number | undefined;
  /** One that is under way. */
  look: Promise<void> | undefined;
}

export class BucketWatch {
  private readonly deps: BucketWatchDeps;
  private stopping = false;
  private made: string | undefined;
  private anew = false;
  private endRound: () => void = () => {};
  private wake: () => void = () => {};

  constructor(deps: BucketWatchDeps) {
    this.deps = deps;
  }

  /** Resolves when the state of the bucket at this moment is known; goes on until `stop`. */
  start(): Promise<void> {
    return new Promise((resolve) => void this.run(resolve));
  }

  stop(): void {
    this.stopping = true;
    this.endRound();
    this.wake();
  }

  private async run(known: () => void): Promise<void> {
    while (!this.stopping) {
      try {
        await this.round(known);
      } catch (error) {
        this.deps.log.warn({ error: (error as Error).message }, this.deps.failed);
      }
      if (!this.stopping) await this.pause();
    }
  }

  private async round(known: () => void): Promise<void> {
    const kv = await this.deps.open();
    const { created, state } = await infoOf(kv);
    const entries = await kv.watch();
    this.endRound = () => entries.stop();
    if (this.stopping) entries.stop();
    const round: Round = {
      kv,
      created,
      messages: state.messages,
      revision: state.last_seq,
      given: 0,
      isKnown: false,
      behindAt: undefined,
      look: undefined,
    };
    // One at a time: two that are answered together are no two looks in a row.
    const timer = setInterval(() => {
      round.look ??= this.lookAt(round).finally(() => {
        round.look = undefined;
      });
    }, LOOK_EVERY_MS);
    timer.unref();
    const allKnown = (): void => {
      round.isKnown = true;
      this.deps.onKnown();
      known();
    };
    try {
      this.deps.onBegin(kv, this.anew || (this.made !== undefined && this.made !== created));
      this.made = created;
      this.anew = false;
      if (state.messages === 0) allKnown();
      for await (const entry of entries) {
        round.given++;
        round.revision = Math.max(round.revision, entry.revision);
        this.deps.onEntry(entry);
        if (!round.isKnown && entry.delta === 0) allKnown();
      }
    } finally {
      clearInterval(timer);
    }
  }

  private async lookAt(round: Round): Promise<void> {
    try {
      const { created, state } = await infoOf(round.kv);
      if (created === round.created && !this.isPurged(round, state) && !isLost(round, state)) {
        return;
      }
    } catch (error) {
      // NATS does not answer: that says nothing of the bucket.
      if (apiErrorCode(error) !== apiErrors.streamNotFound) return;
    }
    this.endRound();
  }

  /** A change leaves as many messages as before, or more: a deletion is one too. */
  private isPurged(round: Round, { messages }: BucketState): boolean {
    this.anew ||= messages < round.messages;
    round.messages = messages;
    return this.anew;
  }

  private async pause(): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, AGAIN_AFTER_MS);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** Whether the watch has not given what the bucket holds, and has given nothing since the last look. */
function isLost(round: Round, { last_seq: revision }: BucketState): boolean {
  const isBehind = !round.isKnown || round.revision < revision;
  const wasBehindHere = round.behindAt === round.given;
  round.behindAt = isBehind ? round.given : undefined;
  return isBehind && wasBehindHere;
}

async function infoOf(kv: KV): Promise<{ created: string; state: BucketState }> {
  return (await kv.status()).streamInfo;
}
