import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/**
 * What a round came to. `succeeded`: its webhook arrived in time, rightly signed. `lost`: it did not. `refused`: ingress did
 * not take the event. `unprepared`: control let no tenant or endpoint be made.
 */
export type RoundResult = 'succeeded' | 'lost' | 'refused' | 'unprepared';

/** Up to the time after which a round is lost; late ones are not in it. */
const DURATION_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** What the probe tells of its rounds (OB-6). */
export class ProbeMetrics {
  readonly sent: Counter<'shard'>;
  readonly rounds: Counter<'shard' | 'result'>;
  readonly late: Counter<'shard'>;
  readonly invalid: Counter;
  readonly duration: Histogram;
  readonly lastSuccess: Gauge<'shard'>;

  constructor(registry: Registry, shards: number) {
    const registers = [registry];
    const ofShard = { labelNames: ['shard'] as const, registers };
    this.sent = new Counter({
      name: 'posthorn_probe_sent_total',
      help: 'Events of the probe that ingress accepted.',
      ...ofShard,
    });
    this.rounds = new Counter({
      name: 'posthorn_probe_rounds_total',
      help: 'Rounds of the probe by what they came to.',
      labelNames: ['shard', 'result'],
      registers,
    });
    this.late = new Counter({
      name: 'posthorn_probe_late_total',
      help: 'Webhooks of the probe that arrived after their round had been counted as lost or refused.',
      ...ofShard,
    });
    this.invalid = new Counter({
      name: 'posthorn_probe_invalid_total',
      help: "Requests to the probe's receiver that were refused: not signed as they should be, or not its own.",
      registers,
    });
    this.duration = new Histogram({
      name: 'posthorn_probe_duration_seconds',
      help: 'From the publication of an event of the probe to the arrival of its webhook.',
      buckets: DURATION_BUCKETS,
      registers,
    });
    this.lastSuccess = new Gauge({
      name: 'posthorn_probe_last_success_timestamp_seconds',
      help: 'When a round last succeeded, or when the probe started if none has.',
      ...ofShard,
    });
    const seconds = Date.now() / 1000;
    // A series that begins at its first loss would hide that loss from `rate`.
    for (let shard = 0; shard < shards; shard++) {
      this.lastSuccess.set({ shard }, seconds);
      this.sent.inc({ shard }, 0);
      this.late.inc({ shard }, 0);
      for (const result of ['succeeded', 'lost', 'refused', 'unprepared']) {
        this.rounds.inc({ shard, result }, 0);
      }
    }
  }
}
