/** Counts arrivals: how often, how late, and in which second. */
import { LatencyHistogram } from './latency-histogram.ts';
import { SeenNumbers } from './seen-numbers.ts';

const SECONDS_MAX = 6 * 3600;

export interface GroupStats {
  received: number;
  unique: number;
  duplicates: number;
  p50_ms: number;
  p95_ms: number;
  p99_ms: number;
}

export interface SecondStats {
  /** Seconds since 1970. */
  at: number;
  unique: number;
  p50_ms: number;
  p95_ms: number;
}

class Group {
  received = 0;
  unique = 0;
  readonly latency = new LatencyHistogram();

  stats(): GroupStats {
    return {
      received: this.received,
      unique: this.unique,
      duplicates: this.received - this.unique,
      p50_ms: this.latency.percentile(0.5),
      p95_ms: this.latency.percentile(0.95),
      p99_ms: this.latency.percentile(0.99),
    };
  }
}

export class Tally {
  private readonly groups = new Map<string, Group>([['all', new Group()]]);
  private readonly seen = new Map<string, SeenNumbers>();
  private readonly seconds = new Map<number, LatencyHistogram>();

  /**
   * @param scenario together with `n` it names the event; its tenant has one endpoint that is
   * counted
   */
  add(group: string, scenario: string, n: number, sentMs: number, nowMs: number): void {
    let seen = this.seen.get(scenario);
    if (seen === undefined) this.seen.set(scenario, (seen = new SeenNumbers()));
    let own = this.groups.get(group);
    if (own === undefined) this.groups.set(group, (own = new Group()));
    const isFirst = seen.add(n);
    for (const each of [own, this.groups.get('all') as Group]) {
      each.received++;
      if (!isFirst) continue;
      each.unique++;
      each.latency.add(nowMs - sentMs);
    }
    if (isFirst) this.ofSecond(Math.floor(nowMs / 1000))?.add(nowMs - sentMs);
  }

  stats(): Record<string, GroupStats> {
    return Object.fromEntries([...this.groups].map(([name, group]) => [name, group.stats()]));
  }

  series(): SecondStats[] {
    return [...this.seconds].map(([at, latency]) => ({
      at,
      unique: latency.total,
      p50_ms: latency.percentile(0.5),
      p95_ms: latency.percentile(0.95),
    }));
  }

  private ofSecond(second: number): LatencyHistogram | undefined {
    let histogram = this.seconds.get(second);
    if (histogram === undefined && this.seconds.size < SECONDS_MAX) {
      this.seconds.set(second, (histogram = new LatencyHistogram()));
    }
    return histogram;
  }
}
