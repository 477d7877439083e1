import type { Behaviour } from '#testkit/receiver-behaviour.ts';
import type { ReceivedRequest, WebhookReceiver } from '#testkit/webhook-receiver.ts';

const ALWAYS: readonly [number, number] = [0, Number.POSITIVE_INFINITY];

/** The requests for one event, whether or not its producer has its 202 yet. */
interface Received {
  /** When webhooks for the event were answered with 2xx. */
  answeredMs: number[];
  /** All requests, with any response. */
  requests: number;
  /** Requests whose connection was cut: a sender may repeat such a request within one attempt. */
  cut: number;
}

interface Entry {
  tenant: string;
  acceptedMs: number;
  /** Time from the first publish of the event to its 202. */
  acceptTookMs: number;
}

export interface Tally {
  accepted: number;
  /** Accepted events of which no webhook was answered with 2xx. */
  lost: string[];
  /** The longest time without webhooks for the tenants with healthy receivers, under load. */
  longestGapMs: number;
  /** The longest time from the first publish of an event to its 202. */
  slowestAcceptMs: number;
  /** The longest time from the 202 to the first webhook, for tenants with healthy receivers. */
  slowestMs: number;
}

/** A webhook that was answered with 2xx although an earlier one for the same event had been. */
export interface Duplicate {
  key: string;
  /** The times at which the first webhook and its repeat were answered. */
  firstMs: number;
  againMs: number;
}

/**
 * Records accepted events and their webhooks, with one entry for each event. Each tenant has one
 * endpoint, `/<tenant>`.
 */
export class Ledger {
  private readonly entries = new Map<string, Entry>();
  private readonly came = new Map<string, Received>();
  /** Event ids of each tenant, in the order of their first 2xx. */
  private readonly orders = new Map<string, string[]>();
  private readonly behaviours = new Map<string, (request: ReceivedRequest) => Behaviour>();
  private readonly misbehaving = new Set<string>();
  private requestCount = 0;

  constructor(receiver: WebhookReceiver) {
    receiver.otherwise((request) => this.receive(request));
  }

  /**
   * Sets the behaviour of the tenant's receiver. Its delays no longer count as those of a healthy
   * one.
   */
  misbehave(tenant: string, behaviour: (request: ReceivedRequest) => Behaviour): void {
    this.misbehaving.add(tenant);
    this.behaviours.set(tenant, behaviour);
  }

  /** Every receiver answers 200 again. */
  behave(): void {
    this.behaviours.clear();
  }

  accept(tenant: string, id: string, firstSentMs: number): void {
    const acceptedMs = performance.now();
    const acceptTookMs = acceptedMs - firstSentMs;
    this.entries.set(`${tenant}/${id}`, { tenant, acceptedMs, acceptTookMs });
  }

  get accepted(): number {
    return this.entries.size;
  }

  /** Number of requests received. */
  get received(): number {
    return this.requestCount;
  }

  /** The accepted events, as `tenant/id`. */
  keys(): string[] {
    return [...this.entries.keys()];
  }

  /** The events without a webhook so far, as `tenant/id`. */
  missing(): string[] {
    return this.keys().filter((key) => this.of(key).answeredMs.length === 0);
  }

  /** The record of an event. */
  of(key: string): Readonly<Received> {
    return this.came.get(key) ?? { answeredMs: [], requests: 0, cut: 0 };
  }

  /** A tenant's event ids in delivery order. */
  orderOf(tenant: string): readonly string[] {
    return this.orders.get(tenant) ?? [];
  }

  /** A tenant's event ids in the order in which they were accepted. */
  acceptedOf(tenant: string): string[] {
    const prefix = `${tenant}/`;
    return this.keys()
      .filter((key) => key.startsWith(prefix))
      .map((key) => key.slice(prefix.length));
  }

  duplicates(): Duplicate[] {
    return this.keys().flatMap((key) => {
      const [firstMs = 0, ...again] = this.of(key).answeredMs;
      return again.map((againMs) => ({ key, firstMs, againMs }));
    });
  }

  tally(): Tally {
    const entries = [...this.entries];
    const healthy = entries.filter(([, { tenant }]) => this.isHealthy(tenant));
    const waits = healthy.map(([key, { acceptedMs }]) => {
      return (this.of(key).answeredMs[0] ?? 0) - acceptedMs;
    });
    return {
      accepted: this.entries.size,
      lost: this.missing(),
      longestGapMs: this.longestGapMs((tenant) => this.isHealthy(tenant)),
      slowestAcceptMs: largest(entries.map(([, entry]) => entry.acceptTookMs)),
      slowestMs: largest(waits),
    };
  }

  /**
   * The longest time between two webhooks to these tenants that were answered with 2xx, the first
   * of them in the span.
   */
  longestGapMs(of: (tenant: string) => boolean, [fromMs, toMs] = ALWAYS): number {
    const times = [...this.entries]
      .filter(([, { tenant }]) => of(tenant))
      .flatMap(([key]) => this.of(key).answeredMs)
      .toSorted((a, b) => a - b);
    const gaps = times.slice(1).map((atMs, i) => ({ fromMs: times[i] as number, atMs }));
    const inSpan = gaps.filter((gap) => gap.fromMs >= fromMs && gap.fromMs <= toMs);
    return largest(inSpan.map((gap) => gap.atMs - gap.fromMs));
  }

  /** Whether the tenant's receiver has always been healthy. */
  isHealthy(tenant: string): boolean {
    return !this.misbehaving.has(tenant);
  }

  private receive(request: ReceivedRequest): Behaviour {
    const tenant = request.path.slice(1);
    const behaviour = this.behaviours.get(tenant)?.(request) ?? { status: 200 };
    const id = request.headers['webhook-id'] ?? '';
    const key = `${tenant}/${id}`;
    const received = this.came.get(key) ?? { answeredMs: [], requests: 0, cut: 0 };
    this.came.set(key, received);
    received.requests++;
    this.requestCount++;
    if ('cut' in behaviour) received.cut++;
    if ('status' in behaviour && behaviour.status === 200) {
      if (received.answeredMs.push(request.atMs) === 1) {
        this.orders.set(tenant, [...(this.orders.get(tenant) ?? []), id]);
      }
    }
    return behaviour;
  }
}

function largest(values: number[]): number {
  return Math.round(values.reduce((most, value) => Math.max(most, value), 0));
}
