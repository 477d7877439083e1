/**
 * Requests of pollers to the worker that owns the shard of their endpoint (DL-19): JSON over core
 * NATS, answered once the result is stored.
 */

interface Addressed {
  /** Life id. */
  tenant: string;
  endpoint: string;
}

/** A lease: the delivery id and the hop that the lease gave it. */
export type LeaseId = string;

export type PollRequest = Addressed &
  (
    | { what: 'poll'; limit: number; leaseMs?: number; waitMs: number }
    | { what: 'commit'; leases: LeaseId[] }
    | { what: 'extend'; leases: LeaseId[]; leaseMs?: number }
  );

export interface LeasedDelivery {
  lease: LeaseId;
  untilMs: number;
  delivery: string;
  event: string;
  type: string;
  acceptedMs: number;
  attemptNo: number;
  sequence?: number;
  /** The body of a Standard Webhook. */
  body: string;
}

/** `expired`: the lease has ended, and the delivery may be leased again. */
export type LeaseResult = { lease: LeaseId; untilMs?: number; status: 'done' | 'expired' };

/**
 * `unknown`: the worker does not know such an endpoint. `not_polled`, `not_active`: its kind or its
 * state forbids it. `busy`: too many polls wait. `moved`: another worker owns the shard by now.
 */
export type PollFault = 'unknown' | 'not_polled' | 'not_active' | 'busy' | 'moved' | 'failed';

export type PollAnswer =
  | { deliveries: LeasedDelivery[] }
  | { results: LeaseResult[] }
  | { fault: PollFault };

/** The lease of a delivery at a hop. */
export function leaseId(delivery: string, hop: number): LeaseId {
  return `${delivery}.${hop}`;
}

/** Delivery id and hop of a lease; undefined if the text is none. */
export function parseLeaseId(lease: LeaseId): { delivery: string; hop: number } | undefined {
  const [, delivery, hop] = /^(dlv_[A-Za-z0-9_-]{1,64})\.(\d{1,9})$/.exec(lease) ?? [];
  return delivery === undefined ? undefined : { delivery, hop: Number(hop) };
}
