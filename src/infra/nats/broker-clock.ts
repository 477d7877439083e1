import type { JetStreamManager } from '@nats-io/jetstream';
import type { Clock } from '#domain/clock.ts';
import type { Log } from '#infra/telemetry/log.ts';
import { streams } from '#wire/subjects.ts';

const POLL_EVERY_MS = 30_000;
/** The time of a slower answer is too uncertain. */
const ROUND_TRIP_MAX_MS = 1000;
/** Of this many answers the fastest is used, because it is the most precise. */
const ANSWERS = 3;
/** The broker's time is truncated to whole milliseconds. */
const STAMP_MS = 1;

export interface BrokerClockDeps {
  /** The broker's wall clock at the moment of its answer, milliseconds since 1970. */
  read: () => Promise<number>;
  log: Log;
  clock: Clock;
}

/**
 * The wall clock of the brokers. Schedules fire by the brokers' clock, so schedule times are
 * computed from it: the clock of this machine may be wrong, or may be set while the process runs.
 * Between two readings the monotonic clock extends the last one. Before the first reading the clock
 * of this machine is used.
 *
 * The broker wrote its answer at some moment between the request and the arrival of the answer
 * (Cristian, 1989). A schedule must not fire too early, so this clock assumes the earliest moment:
 * it is ahead of the broker's clock by one round trip at most, and never behind it.
 */
export class BrokerClock {
  private readonly deps: BrokerClockDeps;
  /** Added to the monotonic clock. */
  private offsetMs: number;
  private timer: NodeJS.Timeout | undefined;
  private lastRoundTripMs: number | undefined;

  constructor(deps: BrokerClockDeps) {
    this.deps = deps;
    this.offsetMs = deps.clock.wallMs() - deps.clock.monotonicMs();
  }

  /** Resolves after the first reading; then reads the broker's clock every 30 s. */
  async start(): Promise<void> {
    await this.poll();
    this.timer = setInterval(() => void this.poll(), POLL_EVERY_MS);
    this.timer.unref();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /** Of the fastest answer of the last reading; undefined if it failed. */
  get roundTripMs(): number | undefined {
    return this.lastRoundTripMs;
  }

  /** Milliseconds since 1970. */
  readonly now = (): number => Math.ceil(this.deps.clock.monotonicMs() + this.offsetMs);

  private async poll(): Promise<void> {
    let fastestMs: number | undefined;
    try {
      let quickestMs = ROUND_TRIP_MAX_MS;
      for (let n = 0; n < ANSWERS; n++) {
        const askedMs = this.deps.clock.monotonicMs();
        const brokerMs = await this.deps.read();
        const roundTripMs = this.deps.clock.monotonicMs() - askedMs;
        if (!Number.isFinite(brokerMs) || roundTripMs > quickestMs) continue;
        quickestMs = roundTripMs;
        fastestMs = roundTripMs;
        this.offsetMs = brokerMs + STAMP_MS - askedMs;
      }
    } catch (error) {
      this.deps.log.warn({ error: (error as Error).message }, 'nats.clock_not_read');
    }
    this.lastRoundTripMs = fastestMs;
  }
}

/**
 * Every answer about a stream contains the time at which its server wrote it (nats-server, `ts`).
 */
export async function readBrokerClock(jsm: JetStreamManager): Promise<number> {
  const info: { ts?: string } = await jsm.streams.info(streams.deadLetters);
  return Date.parse(info.ts ?? '');
}
