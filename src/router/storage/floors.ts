/**
 * The sequence below which no message of a stream is needed: the lowest sequence that one of its
 * readers has not finished. Every floor only rises, so a floor that was read before stays safe.
 */
import type { JetStreamManager } from '@nats-io/jetstream';
import { consumers } from '#wire/subjects.ts';

/** The replay window that stays under any pressure. */
export const REPLAY_WINDOW_MS_MIN = 3_600_000;

/** What keeps the messages from a sequence on. */
export interface Floor {
  by: 'router' | 'projector' | 'window' | 'delivery';
  /** Every message below it may be removed. */
  seq: number;
}

/**
 * The first message of a stream that is not in MongoDB yet.
 *
 * @throws if NATS does not answer
 */
export async function projectorFloor(jsm: JetStreamManager, stream: string): Promise<number> {
  const { ack_floor } = await jsm.consumers.info(stream, consumers.projector);
  return ack_floor.stream_seq + 1;
}

/**
 * The first message of a stream that was stored at or after a time.
 *
 * @throws if NATS does not answer
 */
export async function timeFloor(
  jsm: JetStreamManager,
  stream: string,
  atMs: number,
): Promise<number> {
  const message = await jsm.direct.getMessage(stream, { start_time: new Date(atMs) });
  if (message !== null) return message.seq;
  // None: all are older. From the leader, as a replica may lag.
  const { state } = await jsm.streams.info(stream);
  return Date.parse(state.last_ts) < atMs ? state.last_seq + 1 : state.first_seq;
}
