/**
 * Divides the bytes that JetStream may store on each broker among the streams. Deliveries (DLV-k)
 * have no bound: the remainder is theirs, and ingress refuses events before it is used up
 * (ADR 0034).
 *
 * Bytes are those that nats-server counts: of messages with their subjects and headers, before
 * compression.
 */

/** The share of each stream that has a bound; those of events and records are for all shards. */
export const storageShares = {
  events: 0.6,
  payloads: 0.05,
  records: 0.1,
  deadLetters: 0.03,
  rejected: 0.01,
  broadcasts: 0.01,
} as const;

/** Marks of fullness, each as a share of the bound that it is about. */
export const storageMarks = {
  /** From here on, the keeper of a stream removes its oldest messages, down to `purgeTo`. */
  purgeFrom: 0.85,
  purgeTo: 0.75,
  /** Ingress refuses events from here on: the rest is for deliveries of accepted events. */
  refuseFrom: 0.9,
  /** Ingress accepts events again below this. */
  acceptBelow: 0.87,
} as const;

/** The share that is never given to new events: for the deliveries and retries of accepted ones. */
export const RESERVE_SHARE = 1 - storageMarks.refuseFrom;

/** Bounds of streams in bytes; -1: none. */
export interface StreamBounds {
  /** Of each EV-k. */
  events: number;
  payloads: number;
  /** Of each ATT-k. */
  records: number;
  deadLetters: number;
  rejected: number;
  broadcasts: number;
}

/** @param bytesMax what JetStream may store on each broker; undefined: unknown, so no bounds */
export function streamBounds(bytesMax: number | undefined, shards: number): StreamBounds {
  const share = (part: number, among = 1): number =>
    bytesMax === undefined ? -1 : Math.floor((bytesMax * part) / among);
  return {
    events: share(storageShares.events, shards),
    payloads: share(storageShares.payloads),
    records: share(storageShares.records, shards),
    deadLetters: share(storageShares.deadLetters),
    rejected: share(storageShares.rejected),
    broadcasts: share(storageShares.broadcasts),
  };
}
