/**
 * Watches a KV bucket until stopped: first all its entries, then every change.
 *
 * A round calls `onBegin`, then `onEntry` for each existing entry, then `onKnown`, then `onEntry`
 * for each change. A new round begins when the watch breaks, or when a poll of the bucket
 * contradicts the watch:
 *
 * - The bucket was deleted or created again. The client's own watch receives no more changes.
 * - The bucket was purged. The server notifies no watch of the removed entries, so a purge counts
 *   as a new bucket.
 * - Two consecutive polls show revisions that the watch has not delivered, and no entry arrived in
 *   between. An entry may be lost with a connection, and no later entry shows the gap. The client
 *   takes more than a minute to repeat a watch whose consumer died with its server. So the first
 *   poll runs on reconnect, and an entry lost with the old connection is detected half a second
 *   later (RT-2).
 *
 * While the bucket is unavailable no callback runs: the known state stays in force (RT-8).
 */
import { jetstream } from '@nats-io/jetstream';
import { type KV, type KvWatchEntry, Kvm } from '@nats-io/kv';
import type { NatsConnection } from '@nats-io/nats-core';
import type { Log } from '#infra/telemetry/log.ts';
import { apiErrorCode, apiErrors } from '../api-errors.ts';

const RETRY_DELAY_MS = 1000;
const POLL_EVERY_MS = 5000;
/**
 * Time until the next poll after one that found the watch behind the bucket. A watch that is still
 * loading keeps the longer interval.
 */
const BEHIND_POLL_MS = 500;

export interface BucketWatchDeps {
  nc: NatsConnection;
  /** Name of the bucket. */
  bucket: string;
  log: Log;
  /** Name of the log line for a broken watch. */
  failed: string;
  /**
   * A round begins: the next entries are the whole bucket. `isRecreated`: the bucket was deleted
   * and created since the last round.
   */
  onBegin: (kv: KV, isRecreated: boolean) => void;
  /** If it returns a promise, the next entry waits for that. */
  onEntry: (entry: KvWatchEntry) => Promise<void> | void;
  /** All entries that existed when the round began were delivered. */
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
  /** Newest revision that the watch has delivered, or that existed before it began. */
  revision: number;
  /** Number of entries delivered so far. */
  delivered: number;
  /** All entries that existed when the round began were delivered. */
  isKnown: boolean;
  /** `delivered` at the last poll, if that found the watch behind the bucket. */
  behindAt: number | undefined;
  /**
   * Number of polls. The result of an older poll is ignored: its answer may have been lost with a
   * connection.
   */
  polls: number;
  nextPoll: NodeJS.Timeout | undefined;
  /** The promise of an `onEntry` is pending, and later entries wait. */
  isApplying: boolean;
  /** A poll of the bucket contradicts the watch. */
  isOutdated: boolean;
  isOver: boolean;
}

export class BucketWatch {
  private readonly deps: BucketWatchDeps;
  private stopping = false;
  private createdAt: string | undefined;
  private isRecreated = false;
  private endRound: () => void = () => {};
  private pollNow: () => void = () => {};
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

  /** Opens the current bucket. @throws if NATS does not answer */
  open(): Promise<KV> {
    return new Kvm(jetstream(this.deps.nc)).open(this.deps.bucket);
  }

  /** Ends with the connection. */
  private async followConnection(): Promise<void> {
    for await (const { type } of this.deps.nc.status()) {
      if (type === 'reconnect') this.pollNow();
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

  /** Runs a round. Resolves with true if the next one has to begin immediately. */
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
      delivered: 0,
      isKnown: false,
      behindAt: undefined,
      polls: 0,
      nextPoll: undefined,
      isApplying: false,
      isOutdated: false,
      isOver: false,
    };
    this.pollNow = () => void this.poll(round);
    this.schedulePoll(round);
    const allKnown = (): void => {
      round.isKnown = true;
      this.deps.onKnown();
      known();
    };
    try {
      this.deps.onBegin(
        kv,
        this.isRecreated || (this.createdAt !== undefined && this.createdAt !== created),
      );
      this.createdAt = created;
      this.isRecreated = false;
      if (state.messages === 0) allKnown();
      for await (const entry of entries) {
        round.delivered++;
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
      clearTimeout(round.nextPoll);
    }
  }

  private schedulePoll(round: Round): void {
    const isSoon = round.isKnown && round.behindAt !== undefined;
    const inMs = isSoon ? BEHIND_POLL_MS : POLL_EVERY_MS;
    round.nextPoll = setTimeout(() => void this.poll(round), inMs);
    round.nextPoll.unref();
  }

  private async poll(round: Round): Promise<void> {
    clearTimeout(round.nextPoll);
    const nth = ++round.polls;
    const isStale = (): boolean => round.isOver || nth !== round.polls;
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
    else this.schedulePoll(round);
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

/** Whether the watch lacks entries of the bucket, and has delivered nothing since the last poll. */
function isLost(round: Round, { last_seq: revision }: BucketState): boolean {
  const isBehind = !round.isApplying && (!round.isKnown || round.revision < revision);
  const wasBehindHere = round.behindAt === round.delivered;
  round.behindAt = isBehind ? round.delivered : undefined;
  return isBehind && wasBehindHere;
}

async function infoOf(kv: KV): Promise<{ created: string; state: BucketState }> {
  return (await kv.status()).streamInfo;
}
