/**
 * Walks one broadcast from its stored progress to its end: publishes a copy to the stream of each
 * tenant, in chunks.
 *
 * Each step is durable before the next. Planned (number of endpoints, start time) -> for each
 * chunk: announced (`until` in the progress) -> published, with every PubAck awaited -> done
 * (`cursor`; the same write announces the next chunk) -> ended. A crash leaves at most one chunk in
 * doubt, and the progress names it: the next router reads that chunk's copies from the streams of
 * its tenants, and publishes the missing ones. So each tenant gets exactly one copy.
 *
 * A router that was overtaken finds that the progress differs from its last write, and stops. A
 * cancellation is such a write too.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { type FanOutDelay, fanOutDelayMs } from '#domain/event/fan-out-delay.ts';
import type { BroadcastStore, StoredProgress } from '#infra/nats/stores/broadcast-store.ts';
import type { BroadcastProgress } from '#wire/frames/broadcast.ts';
import type { EventFrame } from '#wire/frames/event-frame.ts';
import type { Copies } from './copies.ts';
import type { Pace } from './pace.ts';
import { type Stop, type Tenants, compareStops, planStops } from './plan.ts';

/** The most tenants whose copies can be in doubt after a crash. */
const CHUNK_TENANTS_MAX = 256;
/** Ends a chunk early: a single tenant with this many endpoints fills one. */
const CHUNK_ENDPOINTS_MAX = 1024;
const WRITE_TIMEOUT_MS = 20_000;
const WAIT_STEP_MS = 1000;

export interface Broadcast {
  event: EventFrame;
  /** The copy of the next tenant, of which this many endpoints match. */
  frameFor: (endpoints: number) => Buffer;
  /** Its sequence in BCAST. */
  seq: number;
  /** When BCAST stored it, milliseconds since 1970. */
  storedMs: number;
  /** False once another router may hold the broadcast: nothing more is published or written. */
  isOwner: () => boolean;
  /** Aborts waits. */
  signal: AbortSignal;
}

/** The step that just finished; a test stops the walk there. */
export type WalkStep = 'taken' | 'planned' | 'announced' | 'copied' | 'published' | 'ended';

export interface WalkDeps extends Tenants {
  store: BroadcastStore;
  copies: Copies;
  pace: Pace;
  /** Largest number of endpoints first. */
  fanOutDelays: readonly FanOutDelay[];
  /** Milliseconds since 1970. */
  now: () => number;
  /** Returns the event as filters see it: with the data of a large one. */
  hydrate: (event: EventFrame, isOwner: () => boolean) => Promise<EventFrame>;
  onCopied: () => void;
  onStep: (step: WalkStep) => Promise<void> | void;
}

/** Another router continues the broadcast: this one stops. */
export class Overtaken extends Error {
  constructor() {
    super('the broadcast has another owner');
    this.name = 'Overtaken';
  }
}

export class Walk {
  private readonly deps: WalkDeps;
  private readonly broadcast: Broadcast;
  private seq = 0;
  private progress: BroadcastProgress;

  constructor(deps: WalkDeps, broadcast: Broadcast) {
    this.deps = deps;
    this.broadcast = broadcast;
    this.progress = {
      v: 1,
      eventSeq: broadcast.seq,
      state: 'running',
      tenants: { done: 0, total: 0 },
      endpoints: { done: 0, total: 0 },
    };
  }

  /**
   * Runs the broadcast to its end and resolves with its progress.
   *
   * @throws Overtaken, or the error that interrupted it
   */
  async run(): Promise<BroadcastProgress> {
    try {
      await this.resume();
    } catch (error) {
      if (!(error instanceof Overtaken) || !(await this.isCancelled())) throw error;
    }
    return this.progress;
  }

  private async isCancelled(): Promise<boolean> {
    const { event, seq } = this.broadcast;
    const { progress } = await this.deps.store.progress(event.head.id);
    return progress?.eventSeq === seq && progress.state === 'cancelled';
  }

  private async resume(): Promise<void> {
    const { event, seq } = this.broadcast;
    const known = await this.deps.store.progress(event.head.id);
    this.seq = known.seq;
    await this.step('taken');
    if (!this.take(known, seq)) return;
    const inDoubt = this.progress.until;
    const seen = await this.deps.hydrate(event, this.broadcast.isOwner);
    const stops = await planStops(this.deps, seen, this.progress.cursor);
    await this.plan(stops);
    await this.untilStart();
    const chunks = chunksOf(stops);
    if (chunks[0] !== undefined && this.progress.until === undefined)
      await this.announce(chunks[0]);
    for (const [i, chunk] of chunks.entries()) {
      await this.publish(chunk, inDoubt);
      await this.step('published');
      await this.done(chunk, chunks[i + 1]);
    }
    await this.write({ state: 'done', endedMs: this.deps.now() });
    await this.step('ended');
  }

  /** False: nothing is left to do. */
  private take({ progress }: StoredProgress, seq: number): boolean {
    if (progress?.eventSeq !== seq) {
      // Progress of an earlier event with a forgotten id; or cancelled before the first progress.
      return true;
    }
    this.progress = progress;
    return progress.state === 'running';
  }

  private async plan(stops: readonly Stop[]): Promise<void> {
    const { tenants, endpoints, startsAtMs } = this.progress;
    const planned: Partial<BroadcastProgress> = {
      tenants: { done: tenants.done, total: tenants.done + stops.length },
      endpoints: { done: endpoints.done, total: endpoints.done + endpointsOf(stops) },
    };
    // The delay counts from when the event was stored, whichever router waits for it (RT-6).
    const delayMs = fanOutDelayMs(this.deps.fanOutDelays, planned.endpoints?.total ?? 0);
    planned.startsAtMs = startsAtMs ?? this.broadcast.storedMs + delayMs;
    await this.write(planned);
    await this.step('planned');
  }

  private async untilStart(): Promise<void> {
    for (;;) {
      const waitMs = (this.progress.startsAtMs ?? 0) - this.deps.now();
      if (waitMs <= 0) return;
      this.checkHands();
      await delay(Math.min(waitMs, WAIT_STEP_MS), undefined, { signal: this.broadcast.signal });
    }
  }

  private async announce(chunk: readonly Stop[]): Promise<void> {
    await this.write({ until: lastOf(chunk) });
    await this.step('announced');
  }

  private async publish(chunk: readonly Stop[], inDoubt: string | undefined): Promise<void> {
    const { pace } = this.deps;
    const { signal } = this.broadcast;
    await pace.untilQuiet(
      chunk.map(({ tenant }) => tenant),
      signal,
    );
    const underWay: Promise<void>[] = [];
    let failure: Error | undefined;
    for (const { tenant, endpoints } of chunk) {
      await pace.take(endpoints, signal);
      if (failure !== undefined) break;
      this.checkHands();
      const doubtful = inDoubt !== undefined && compareStops(tenant, inDoubt) <= 0;
      const copied = this.copy({ tenant, endpoints }, doubtful).catch((error: unknown) => {
        failure ??= error as Error;
      });
      underWay.push(copied);
    }
    await Promise.all(underWay);
    if (failure !== undefined) throw failure;
  }

  private async copy({ tenant, endpoints }: Stop, doubtful: boolean): Promise<void> {
    const { copies, onCopied } = this.deps;
    const { event, storedMs, frameFor } = this.broadcast;
    if (doubtful && (await copies.isStored(tenant, event, storedMs))) return;
    await copies.publish(tenant, event, frameFor(endpoints));
    onCopied();
    await this.step('copied');
  }

  private async done(chunk: readonly Stop[], next: readonly Stop[] | undefined): Promise<void> {
    const { tenants, endpoints } = this.progress;
    const change: Partial<BroadcastProgress> = {
      tenants: { ...tenants, done: tenants.done + chunk.length },
      endpoints: { ...endpoints, done: endpoints.done + endpointsOf(chunk) },
      cursor: lastOf(chunk),
    };
    if (next !== undefined) change.until = lastOf(next);
    await this.write(change);
    await this.step('announced');
  }

  private async write(change: Partial<BroadcastProgress>): Promise<void> {
    this.checkHands();
    const { id } = this.broadcast.event.head;
    const progress = { ...this.progress, ...change };
    const seq = await this.deps.store.writeProgress(id, progress, this.seq, WRITE_TIMEOUT_MS);
    if (seq === undefined) throw new Overtaken();
    this.seq = seq;
    this.progress = progress;
  }

  private checkHands(): void {
    if (!this.broadcast.isOwner()) throw new Overtaken();
  }

  private async step(step: WalkStep): Promise<void> {
    await this.deps.onStep(step);
  }
}

function chunksOf(stops: readonly Stop[]): Stop[][] {
  const chunks: Stop[][] = [];
  let chunk: Stop[] = [];
  let endpoints = 0;
  for (const stop of stops) {
    const isFull =
      chunk.length === CHUNK_TENANTS_MAX || endpoints + stop.endpoints > CHUNK_ENDPOINTS_MAX;
    if (isFull && chunk.length > 0) {
      chunks.push(chunk);
      chunk = [];
      endpoints = 0;
    }
    chunk.push(stop);
    endpoints += stop.endpoints;
  }
  if (chunk.length > 0) chunks.push(chunk);
  return chunks;
}

function endpointsOf(stops: readonly Stop[]): number {
  return stops.reduce((sum, { endpoints }) => sum + endpoints, 0);
}

function lastOf(stops: readonly Stop[]): string {
  return (stops.at(-1) as Stop).tenant;
}
