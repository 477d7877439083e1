import { limits } from '#domain/limits.ts';
import type { TailConnection } from './tail-connection.ts';
import type { TailSelection } from './tail-filter.ts';

interface HeldMessage {
  text: string;
  count: number;
  id: string;
}

export interface TailReader {
  selection: TailSelection;
  connection: TailConnection;
  /** @throws if the caller has lost its access */
  recheck: () => unknown;
  /** Messages that wait until the reader has resumed; undefined: it has. */
  held: HeldMessage[] | undefined;
  heldBytes: number;
  heldMissed: number;
  /** Checks in a row that found no such tenant. */
  unknownChecks: number;
  /** Aborts when the client disconnects. */
  left: AbortController;
}

/** Keeps messages until the reader has resumed. Counts those beyond the bound. */
export function holdMessage(reader: TailReader, message: HeldMessage, bytes: number): void {
  if (reader.heldBytes + bytes > limits.tailBufferBytesMax) {
    reader.heldMissed += message.count;
    return;
  }
  reader.heldBytes += bytes;
  reader.held?.push(message);
}
