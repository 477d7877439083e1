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
 *   server that had it, is made again by the client after more than a minute only. So the first look is at the moment
 *   of the new connection, and what was lost with the old one is known half a second later (RT-2).
 *
 * While the bucket is away nothing is called: what was known stays in force (RT-8).
 */
import { jetstream } from '@nats-io/jetstream';
import { type KV, type KvWatchEntry, Kvm } from '@nats-io/kv';
import type { NatsConnection } from '@nats-io/nats-core';
import type { Log } from '#infra/telemetry/log.ts';
import { apiErrorCode, apiErrors } from '../api-errors.ts';

const AGAIN_AFTER_MS = 1000;
const LOOK_EVERY_MS = 5000;
/** Where a look found a watch behind that had known all. One that is still being filled has the longer time. */
const LOOK_AGAIN_MS = 500;

export interface BucketWatchDeps {
  nc: NatsConnection;
  /** Its name. */
  bucket: string;
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
  /** How many looks there were. What an older one finds counts no more: its answer may be lost with a connection. */
  looks: number;
  nextLook: NodeJS.Timeout | undefined;
  /** A look found that the watch does not say what the bucket holds. */
  isOutdated: boolean;
  isOver: boolean;
}

export class BucketWatch {
  private readonly deps: BucketWatchDeps;
  private stopping = false;
  private made: string | undefined;
  private anew = false;
  private endRound: () => void = () => {};
  private lookNow: () => void = () => {};
  private wake: () => void = () => {};

  constructor(deps: BucketWatchDeps) {
    this.deps = deps;
  }

  /** Resolves when the state of the bucket at this moment is known; goes on until `stop`. */
  start(): Promise<void> {
    void this.followConnection();
    return new Promise((resolve) => void this.run(resolve));
  }

  stop(): void {
    this.stopping = true;
    this.endRound();
    this.wake();
  }

  /** The bucket, as it is now. @throws where NATS does not answer */
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

  /** Whether the next has to begin at once. */
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
      return round.isOutdated;
    } finally {
      round.isOver = true;
      clearTimeout(round.nextLook);
    }
  }

  private planLook(round: Round): void {
    const isSoon = round.isKnown && round.behindAt !== undefined;
    const inMs = isSoon ? LOOK_AGAIN_MS : LOOK_EVERY_MS;
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
      // Another fault is that NATS does not answer, which says nothing of the bucket.
      round.isOutdated = apiErrorCode(error) === apiErrors.streamNotFound;
    }
    if (round.isOutdated) this.endRound();
    else this.planLook(round);
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
