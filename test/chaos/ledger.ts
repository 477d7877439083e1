import type { Behaviour } from '#testkit/receiver-behaviour.ts';
import type { ReceivedRequest, WebhookReceiver } from '#testkit/webhook-receiver.ts';

interface Entry {
  tenant: string;
  acceptedMs: number;
  /** From its first sending to its 202. */
  acceptTookMs: number;
  /** When webhooks for it were answered with 2xx. */
  receivedMs: number[];
}

export interface Tally {
  accepted: number;
  /** Accepted, and no webhook for it was answered with 2xx. */
  lost: string[];
  /** Webhooks after the first that was answered with 2xx. */
  duplicates: number;
  /** The longest time in which tenants with healthy receivers got nothing, though the load went on. */
  longestGapMs: number;
  /** The longest time from the first sending of an event to its 202. */
  slowestAcceptMs: number;
  /** The longest time from 202 to the first webhook, for tenants with healthy receivers. */
  slowestMs: number;
}

/** What was accepted, and what of it came: one entry for each event. Each tenant has one endpoint, `/<tenant>`. */
export class Ledger {
  private readonly entries = new Map<string, Entry>();
  private readonly early = new Map<string, number[]>();
  private readonly behaviours = new Map<string, (request: ReceivedRequest) => Behaviour>();
  private readonly misbehaving = new Set<string>();

  constructor(receiver: WebhookReceiver) {
    receiver.otherwise((request) => this.receive(request));
  }

  /** The tenant's receiver does this from now on. Its waits are then not those of the healthy ones. */
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
    const key = `${tenant}/${id}`;
    // A webhook may come before the producer has its answer.
    const receivedMs = this.early.get(key) ?? [];
    this.early.delete(key);
    const acceptTookMs = acceptedMs - firstSentMs;
    this.entries.set(key, { tenant, acceptedMs, acceptTookMs, receivedMs });
  }

  get accepted(): number {
    return this.entries.size;
  }

  /** The events that no webhook came for yet, as `tenant/id`. */
  missing(): string[] {
    return [...this.entries]
      .filter(([, entry]) => entry.receivedMs.length === 0)
      .map(([key]) => key);
  }

  tally(): Tally {
    const entries = [...this.entries.values()];
    const healthy = entries.filter((entry) => !this.misbehaving.has(entry.tenant));
    const waits = healthy.map(({ acceptedMs, receivedMs }) => (receivedMs[0] ?? 0) - acceptedMs);
    return {
      accepted: this.entries.size,
      lost: this.missing(),
      duplicates: entries.reduce((sum, e) => sum + Math.max(0, e.receivedMs.length - 1), 0),
      longestGapMs: longestGap(healthy.flatMap((entry) => entry.receivedMs)),
      slowestAcceptMs: largest(entries.map((entry) => entry.acceptTookMs)),
      slowestMs: largest(waits),
    };
  }

  private receive(request: ReceivedRequest): Behaviour {
    const tenant = request.path.slice(1);
    const behaviour = this.behaviours.get(tenant)?.(request) ?? { status: 200 };
    if ('status' in behaviour && behaviour.status === 200) {
      const key = `${tenant}/${request.headers['webhook-id']}`;
      const entry = this.entries.get(key);
      if (entry !== undefined) entry.receivedMs.push(request.atMs);
      else this.early.set(key, [...(this.early.get(key) ?? []), request.atMs]);
    }
    return behaviour;
  }
}

function largest(values: number[]): number {
  return Math.round(values.reduce((most, value) => Math.max(most, value), 0));
}

function longestGap(timesMs: number[]): number {
  const sorted = timesMs.toSorted((a, b) => a - b);
  let longest = 0;
  for (let i = 1; i < sorted.length; i++) {
    longest = Math.max(longest, (sorted[i] as number) - (sorted[i - 1] as number));
  }
  return Math.round(longest);
}
