import type { JetStreamManager } from '@nats-io/jetstream';
import type { Log } from '#infra/telemetry/log.ts';
import { streams } from '#wire/subjects.ts';

const LOOK_EVERY_MS = 30_000;
/** An answer that took longer says too little about when it was written. */
const ROUND_TRIP_MAX_MS = 1000;
/** Of so many answers the quickest counts: it says the most. */
const ANSWERS = 3;
/** A time is read in whole milliseconds: the rest of one is cut off. */
const STAMP_MS = 1;

export interface BrokerClockDeps {
  /** The broker's wall clock at the moment of its answer, milliseconds since 1970. */
  read: () => Promise<number>;
  log: Log;
}

/**
 * The wall clock of the brokers. A schedule says at what time of theirs it fires, so what is put off is put off
 * by their clock: this machine's may be wrong, or be set while a process runs. Between two looks the monotonic
 * clock goes on from what was seen; before the first one this machine's clock has to do.
 *
 * An answer was written somewhere between its question and its arrival (Cristian, 1989). What is put off must not come
 * too early, so this clock takes the first moment: it is ahead of the broker's by a round trip at most, never behind it.
 */
export class BrokerClock {
  private readonly deps: BrokerClockDeps;
  /** What to add to the monotonic clock. */
  private offsetMs = Date.now() - performance.now();
  private timer: NodeJS.Timeout | undefined;

  constructor(deps: BrokerClockDeps) {
    this.deps = deps;
  }

  /** Resolves after the first look; looks again twice a minute. */
  async start(): Promise<void> {
    await this.look();
    this.timer = setInterval(() => void this.look(), LOOK_EVERY_MS);
    this.timer.unref();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /** Milliseconds since 1970. */
  readonly now = (): number => Math.ceil(performance.now() + this.offsetMs);

  private async look(): Promise<void> {
    try {
      let quickestMs = ROUND_TRIP_MAX_MS;
      for (let n = 0; n < ANSWERS; n++) {
        const askedMs = performance.now();
        const brokerMs = await this.deps.read();
        const roundTripMs = performance.now() - askedMs;
        if (!Number.isFinite(brokerMs) || roundTripMs > quickestMs) continue;
        quickestMs = roundTripMs;
        this.offsetMs = brokerMs + STAMP_MS - askedMs;
      }
    } catch (error) {
      this.deps.log.warn({ error: (error as Error).message }, 'nats.clock_not_read');
    }
  }
}

/** Every answer about a stream says when its server wrote it (nats-server, `ts`). */
export async function readBrokerClock(jsm: JetStreamManager): Promise<number> {
  const info: { ts?: string } = await jsm.streams.info(streams.deadLetters);
  return Date.parse(info.ts ?? '');
}
