/**
 * Reads the events of one tenant from EV-k and routes them, in order, as a separate consumer would:
 * a consumer for each tenant does not scale (docs/adr/0008-retries-as-schedules.md).
 *
 * Bounds: a batch is at most 32 events and about 256 KiB, and needs a slot of the shard, which all
 * tenants that are behind share. Events are in flight until their deliveries are acked. Up to 256
 * that are delayed for more than a minute hold no slot.
 *
 * A crash loses nothing: `from` is at or below every event that is not routed.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { JetStreamManager, StoredMsg } from '@nats-io/jetstream';
import type { FairSemaphore } from '#domain/contention/fair-semaphore.ts';
import { isNoneLeft } from '#infra/nats/api-errors.ts';
import { readBatch } from '#infra/nats/consume/read-batch.ts';
import type { RepeatingFault } from '#infra/telemetry/repeating-fault.ts';
import { subjects } from '#wire/subjects.ts';
import type { ConsumedEvent, EventWalk, InFlightEvent } from '../in-flight-event.ts';
import { WalkedEvent } from './walked-event.ts';

const BATCH = 32;
const BATCH_BYTES = 256 * 1024;
const RETRY_DELAY_MS = 1000;
/** An event that is delayed for longer holds no slot: it would hold it for hours. */
const SLOT_HELD_MS_MAX = 60_000;
/** Events without a slot: they stay in memory. */
const SLOTLESS_MAX = 256;

export interface WalkDeps {
  jsm: JetStreamManager;
  /** EV-k. */
  stream: string;
  tenant: string;
  /** For batches in flight. */
  slots: FairSemaphore;
  route: (event: InFlightEvent) => void;
  /** Whether this router owns the shard, by the clock. */
  isOwner: () => boolean;
  /** Whether further events are to be routed. */
  isWanted: () => boolean;
  /** Called after each routed event. */
  onRouted: () => void;
  fault: RepeatingFault;
}

/** Unrouted events of one read that hold its slot. */
interface Batch {
  open: number;
}

export class Walk implements EventWalk {
  private readonly deps: WalkDeps;
  private readonly filter: string;
  /** The next sequence to read. */
  private cursor: number;
  /** Events in flight, by sequence; those that joined, or rest for long, belong to no batch. */
  private readonly open = new Map<number, Batch | undefined>();
  /** Events after the cursor that joined: they are not read. */
  private readonly joined = new Set<number>();
  /** Those in flight that wait for their next try. */
  private resting = 0;
  /** Those of them that hold no slot. */
  private slotless = 0;

  constructor(deps: WalkDeps, from: number) {
    this.deps = deps;
    this.cursor = from;
    this.filter = subjects.eventsOf(deps.tenant);
  }

  /** Every event of the tenant before this sequence is routed. */
  get from(): number {
    let lowest = this.cursor;
    for (const seq of this.open.keys()) if (seq < lowest) lowest = seq;
    return lowest;
  }

  /** Every event that was read is routed. */
  get isIdle(): boolean {
    return this.open.size === 0;
  }

  /** No event is being routed; some may wait for their next try. */
  get isQuiet(): boolean {
    return this.open.size === this.resting;
  }

  /** All events that were read and are not routed wait for their next try. */
  get isResting(): boolean {
    return this.resting > 0 && this.isQuiet;
  }

  /** Counts an event of the consumer, which is being routed already, among those of the walk. */
  join(event: ConsumedEvent): void {
    this.open.set(event.seq, undefined);
    if (event.seq >= this.cursor) this.joined.add(event.seq);
    event.joinWalk(this);
  }

  isOpen(seq: number): boolean {
    return this.open.has(seq);
  }

  /** Every event up to this sequence was read. */
  hasRead(seq: number): boolean {
    return this.cursor > seq;
  }

  isOwner(): boolean {
    return this.deps.isOwner();
  }

  /**
   * Begins to route all events up to the sequence `last()`, which may grow. Resolves when none is
   * left to read, or when they are not wanted any more.
   */
  async readUpTo(last: () => number): Promise<void> {
    while (this.deps.isWanted() && this.cursor <= last()) {
      await this.enterSlot();
      const upTo = last();
      const found = this.deps.isWanted() ? await this.read(upTo) : undefined;
      if (found === undefined || found.length === 0) {
        if (found !== undefined) this.cursor = upTo + 1;
        this.leaveSlot();
        continue;
      }
      this.routeAll(found);
    }
  }

  /** Reads no more of the events before this sequence: none of them is to be routed. */
  skipTo(seq: number): void {
    this.cursor = Math.max(this.cursor, seq);
  }

  onRouted({ seq }: InFlightEvent): void {
    const batch = this.open.get(seq);
    if (!this.open.delete(seq)) return;
    this.leaveBatch(batch);
    this.deps.onRouted();
  }

  onRest(event: InFlightEvent, delayMs: number): void {
    this.resting++;
    const isSlotless = delayMs > SLOT_HELD_MS_MAX && this.slotless < SLOTLESS_MAX;
    if (isSlotless) {
      this.slotless++;
      const batch = this.open.get(event.seq);
      this.open.set(event.seq, undefined);
      this.leaveBatch(batch);
    }
    const timer = setTimeout(() => {
      if (!this.deps.isWanted()) return;
      this.resting--;
      if (isSlotless) this.slotless--;
      this.deps.route(event);
    }, delayMs);
    timer.unref();
  }

  private routeAll(found: StoredMsg[]): void {
    const unread = found.filter(({ seq }) => !this.joined.delete(seq));
    const batch: Batch = { open: unread.length };
    this.cursor = (found.at(-1) as StoredMsg).seq + 1;
    if (unread.length === 0) return this.leaveSlot();
    // All before the first is routed: `from` is at or below each of them.
    for (const { seq } of unread) this.open.set(seq, batch);
    for (const message of unread) {
      this.deps.route(new WalkedEvent(message, this.deps.tenant, this));
    }
  }

  /** The next events up to a sequence; none: there are none. Undefined: not wanted any more. */
  private async read(upTo: number): Promise<StoredMsg[] | undefined> {
    while (this.deps.isWanted()) {
      try {
        return await this.tryRead(upTo);
      } catch (error) {
        this.deps.fault.failed(error as Error, { stream: this.deps.stream });
        await delay(RETRY_DELAY_MS, undefined, { ref: false });
      }
    }
    return undefined;
  }

  private async tryRead(upTo: number): Promise<StoredMsg[]> {
    const { jsm, stream } = this.deps;
    const next = { seq: this.cursor, next_by_subj: this.filter };
    const page = { ...next, batch: BATCH, max_bytes: BATCH_BYTES };
    const found = await readBatch(jsm, stream, page).catch((error: unknown) => {
      if (isNoneLeft(error)) return [];
      throw error;
    });
    const wanted = found.filter(({ seq }) => seq <= upTo);
    if (wanted.length > 0) return wanted;
    // A replica may lag behind the consumer: only the leader knows that there is none.
    const first = await jsm.streams.getMessage(stream, next);
    return first === null || first.seq > upTo ? [] : [first];
  }

  private enterSlot(): Promise<void> {
    return new Promise((resolve) => {
      this.deps.slots.enter(this.deps.tenant, () => {
        resolve();
        return true;
      });
    });
  }

  private leaveBatch(batch: Batch | undefined): void {
    if (batch !== undefined && --batch.open === 0) this.leaveSlot();
  }

  private leaveSlot(): void {
    this.deps.slots.leave(this.deps.tenant);
  }
}
