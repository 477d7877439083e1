/**
 * Positions in the streams of events and records, as the id of a message of the live tail. A client
 * that reconnects sends the last one as `Last-Event-ID`, to any control process.
 */
import { streams } from '#wire/subjects.ts';

/** Sequence of the last message that was read, by stream. */
export type TailPosition = ReadonlyMap<string, number>;

/** The streams that the tail reads, in the order in which a position names them. */
export function tailStreams(shards: number): string[] {
  const all = Array.from({ length: shards }, (_, shard) => shard);
  return [...all.map(streams.events), ...all.map(streams.records)];
}

/** The version of the format, and its separator from the sequences. */
const PREFIX = '1-';
const SEQUENCES = /^1-[0-9a-z]{1,11}(\.[0-9a-z]{1,11})*$/;

export function encodePosition(position: TailPosition, shards: number): string {
  const sequences = tailStreams(shards).map((stream) => (position.get(stream) ?? 0).toString(36));
  return PREFIX + sequences.join('.');
}

/** Undefined for a text that is no position of this number of shards. */
export function decodePosition(text: string, shards: number): TailPosition | undefined {
  const names = tailStreams(shards);
  if (text.length > PREFIX.length + names.length * 12 || !SEQUENCES.test(text)) return undefined;
  const sequences = text.slice(PREFIX.length).split('.');
  if (sequences.length !== names.length) return undefined;
  return new Map(names.map((stream, at) => [stream, Number.parseInt(sequences[at] ?? '0', 36)]));
}
