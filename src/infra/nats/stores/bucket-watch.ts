/**
 * Watches a KV bucket until stopped: first all its entries, then every change.
 *
 * A round begins with `onBegin`, gives each existing entry, calls `onKnown`, and then gives the
 * changes. It ends, and the next one begins, when the watch breaks, and when the state of the
 * bucket contradicts the watch:
 *
 * - The bucket was deleted or created again. The client's own watch hears no more changes.
 * - The bucket was purged. No watch is told of the removed entries, so this counts as a new bucket.
 * - Two consecutive polls show revisions that the watch has not delivered, and no entry arrived in
 *   between. An entry may be lost with a connection, and no later entry shows the gap. The client
 *   takes more than a minute to repeat a watch whose consumer died with its server. So the first
 *   poll is made at the moment of the new connection, and a loss with the old one is known half a
 *   second later (RT-2).
 *
 * While the bucket is unavailable nothing is called: the known state stays in force (RT-8).
 */
import { jetstream } from '@nats-io/jetstream';
import { type KV, type KvWatchEntry, Kvm } from '@nats-io/kv';
import type { NatsConnection } from '@nats-io/nats-core';
import type { Log } from '#infra/telemetry/log.ts';
import { apiErrorCode, apiErrors } from '../api-errors.ts';

const RETRY_DELAY_MS = 1000;
const LOOK_EVERY_MS = 5000;
/**
 * After a poll that found a complete watch behind. A watch that is still being filled gets the
 * longer time.
 */
const POLL_MS = 500;

export interface BucketWatchDeps {
  nc: NatsConnection;
  /** Name of the bucket. */
  bucket: string;
  log: Log;
  /** The log name for a watch that broke. */
  failed: string;
  /**
   * A round begins: the following entries are the whole bucket. `isRecreated`: it is another
   * bucket than before.
   */
  onBegin: (kv: KV, isRecreated: boolean) => void;
  /** A promise: the next entry waits for it. */
  onEntry: (entry: KvWatchEntry) => Promise<void> | void;
  /** All entries that existed when the round began have been given. */
  onKnown: () => void;
}

interface BucketState {
  messages: number;
  last_seq: number;
}

interface Round {
  kv: KV;
  /** When the bucket was created. */
  created: string;
  /** Entries in the bucket at the last poll. */
  messages: number;
  /** The newest that the watch has given, or that existed before it began. */
  revision: number;
  /** Entries given so far. */
  given: number;
  /** All entries that existed when the round began have been given. */
  isKnown: boolean;
  /** How many were given when the last poll found the watch behind; undefined: it was not. */
  behindAt: number | undefined;
  /**
   * Number of polls. The result of an older poll is ignored: its answer may have been lost with a
   * connection.
   */
  looks: number;
  nextLook: NodeJS.Timeout | undefined;
  /** An entry takes time, and later ones wait. */
  isApplying: boolean;
  /** A poll found that the watch contradicts the bucket. */
  isOutdated: boolean;
  isOver: boolean;
}

export class BucketWatch {
  private readonly deps: BucketWatchDeps;
  private stopping = false;
  private made: string | undefined;
  private isRecreated = false;
  private endRound: () => void = () => {};
  private lookNow: () => void = () => {};
  private wake: () => void = () => {};

  constructor(deps: BucketWatchDeps) {
    this.deps = deps;
  }

  /** Resolves when the current state of the bucket is known; watches until `stop`. */
  start(): Promise<void> {
    void this.followConnection();
    return new Promise((resolve) => void this.run(resolve));
  }

  stop(): void {
    this.stopping = true;
    this.endRound();
    this.wake();
  }

  /** Opens the current bucket. @throws where NATS does not answer */
  open(): Promise<KV> {
    return new Kvm(jetstream(this.deps.nc)).open(this.deps.bucket);
  }

  /** Ends with the connection. */
  private async followConnection(): Promise<void> {
    for await (const { type } of this.deps.nc.status()) {
      if (type === 'reconnect') this.lookNow();
    }
  }

  private async run(known: () => void): Promise<void> {
    while (!this.stopping) {
      let atOnce = false;
      try {
        atOnce = await this.round(known);
      } catch (error) {
        this.deps.log.warn({ error: (error as Error).message }, this.deps.failed);
      }
      if (!this.stopping && !atOnce) await this.pause();
    }
  }

  /** Whether the next round has to begin at once. */
  private async round(known: () => void): Promise<boolean> {
    const kv = await this.open();
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
      looks: 0,
      nextLook: undefined,
      isApplying: false,
      isOutdated: false,
      isOver: false,
    };
    this.lookNow = () => void this.lookAt(round);
    this.planLook(round);
    const allKnown = (): void => {
      round.isKnown = true;
      this.deps.onKnown();
      known();
    };
    try {
      this.deps.onBegin(kv, this.isRecreated || (this.made !== undefined && this.made !== created));
      this.made = created;
      this.isRecreated = false;
      if (state.messages === 0) allKnown();
      for await (const entry of entries) {
        round.given++;
        round.revision = Math.max(round.revision, entry.revision);
        const applied = this.deps.onEntry(entry);
        if (applied !== undefined) {
          round.isApplying = true;
          await applied;
          round.isApplying = false;
        }
        if (!round.isKnown && entry.delta === 0) allKnown();
      }
      return round.isOutdated;
    } finally {
      round.isOver = true;
      clearTimeout(round.nextLook);
    }
  }

  private planLook(round: Round): void {
    const isSoon = round.isKnown && round.behindAt !== undefined;
    const inMs = isSoon ? POLL_MS : LOOK_EVERY_MS;
    round.nextLook = setTimeout(() => void this.lookAt(round), inMs);
    round.nextLook.unref();
  }

  private async lookAt(round: Round): Promise<void> {
    clearTimeout(round.nextLook);
    const nth = ++round.looks;
    const isStale = (): boolean => round.isOver || nth !== round.looks;
    try {
      const { created, state } = await infoOf(round.kv);
      if (isStale()) return;
      round.isOutdated =
        created !== round.created || this.isPurged(round, state) || isLost(round, state);
    } catch (error) {
      if (isStale()) return;
      // Any other error means that NATS does not answer, which says nothing about the bucket.
      round.isOutdated = apiErrorCode(error) === apiErrors.streamNotFound;
    }
    if (round.isOutdated) this.endRound();
    else this.planLook(round);
  }

  /** A change never lowers the number of messages: a deletion is a message too. */
  private isPurged(round: Round, { messages }: BucketState): boolean {
    this.isRecreated ||= messages < round.messages;
    round.messages = messages;
    return this.isRecreated;
  }

  private async pause(): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, RETRY_DELAY_MS);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** Whether the watch lacks entries of the bucket, and has given nothing since the last poll. */
function isLost(round: Round, { last_seq: revision }: BucketState): boolean {
  const isBehind = !round.isApplying && (!round.isKnown || round.revision < revision);
  const wasBehindHere = round.behindAt === round.given;
  round.behindAt = isBehind ? round.given : undefined;
  return isBehind && wasBehindHere;
}

async function infoOf(kv: KV): Promise<{ created: string; state: BucketState }> {
  return (await kv.status()).streamInfo;
}
