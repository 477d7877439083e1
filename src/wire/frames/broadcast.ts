/**
 * The progress of a broadcast event (RT-5): one JSON message in BCAST under `bc.progress.<id>`.
 * Each conditional write replaces the one before. Without one, the broadcast is queued.
 */

/** How many of how many are done. */
export interface Tally {
  done: number;
  total: number;
}

export interface BroadcastProgress {
  v: 1;
  /** Sequence in BCAST of the event: an id may be reused once the stream has forgotten it. */
  eventSeq: number;
  state: 'running' | 'done' | 'cancelled';
  /** When the first copy may be sent, ms since 1970; absent: cancelled before that was known. */
  startsAtMs?: number;
  /** When its state became `done` or `cancelled`. */
  endedMs?: number;
  tenants: Tally;
  /** Endpoints of finished tenants, and of all, by the configuration at the time. */
  endpoints: Tally;
  /** The last tenant, in walk order, whose copy is known to be stored; absent: none. */
  cursor?: string;
  /** The last tenant whose copy may be stored or in flight. */
  until?: string;
}
