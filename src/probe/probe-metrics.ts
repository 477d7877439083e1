import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { Clock } from '#domain/clock.ts';

/**
 * Result of a round. `succeeded`: its webhook arrived in time with a valid signature. `lost`: it
 * did not. `refused`: ingress rejected the event. `unprepared`: the tenant or the endpoint could
 * not be created.
 */
export type RoundResult = 'succeeded' | 'lost' | 'refused' | 'unprepared';

/** Ends at the time after which a round is lost; late webhooks are not observed. */
const DURATION_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Metrics of the probe's rounds (OB-6). */
export class ProbeMetrics {
  readonly sent: Counter<'shard'>;
  readonly rounds: Counter<'shard' | 'result'>;
  readonly late: Counter<'shard'>;
  readonly invalid: Counter;
  readonly duration: Histogram;
  readonly lastSuccess: Gauge<'shard'>;

  constructor(registry: Registry, shards: number, clock: Clock) {
    const registers = [registry];
    const ofShard = { labelNames: ['shard'] as const, registers };
    this.sent = new Counter({
      name: 'posthorn_probe_sent_total',
      help: 'Probe events accepted by ingress.',
      ...ofShard,
    });
    this.rounds = new Counter({
      name: 'posthorn_probe_rounds_total',
      help: 'Rounds of the probe, by result.',
      labelNames: ['shard', 'result'],
      registers,
    });
    this.late = new Counter({
      name: 'posthorn_probe_late_total',
      help: 'Probe webhooks that arrived after their round counted as lost or refused.',
      ...ofShard,
    });
    this.invalid = new Counter({
      name: 'posthorn_probe_invalid_total',
      help: "Requests that the probe's receiver rejected: an invalid signature, or not for this probe.",
      registers,
    });
    this.duration = new Histogram({
      name: 'posthorn_probe_duration_seconds',
      help: 'From the publication of a probe event to the arrival of its webhook.',
      buckets: DURATION_BUCKETS,
      registers,
    });
    this.lastSuccess = new Gauge({
      name: 'posthorn_probe_last_success_timestamp_seconds',
      help: 'Time of the last successful round, or of the start of the probe if there was none.',
      ...ofShard,
    });
    const seconds = clock.wallMs() / 1000;
    // Create each series at 0: `rate` does not see the first increment of a series that starts with
    // it.
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
