/**
 * How far a broadcast event has come (RT-5): one message of BCAST under `bc.progress.<id>`, JSON, written on
 * condition of the one before and taking its place. Where there is none, the broadcast is queued.
 */

/** Of how many: those that are done. */
export interface Tally {
  done: number;
  total: number;
}

export interface BroadcastProgress {
  v: 1;
  /** The sequence in BCAST of the event that it is about: ids may be used again once the stream forgot them. */
  eventSeq: number;
  state: 'running' | 'done' | 'cancelled';
  /** When its first copy may leave, milliseconds since 1970; absent: cancelled before that was known. */
  startsAtMs?: number;
  /** When its state became `done` or `cancelled`. */
  endedMs?: number;
  tenants: Tally;
  /** Of the tenants that are done, and of all, by the configuration at the time. */
  endpoints: Tally;
  /** The last tenant, in the order of the walk, whose copy is known to be stored; absent: none. */
  cursor?: string;
  /** The last tenant whose copy may be stored, or on its way. */
  until?: string;
}
