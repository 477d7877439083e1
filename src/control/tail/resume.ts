import { limits } from '#domain/limits.ts';
import type { TenantLives } from '#infra/tenant-lives.ts';
import type { TailFeed } from './tail-feed.ts';
import { selects } from './tail-filter.ts';
import { type TailItem, tailItems } from './tail-items.ts';
import { encodePosition, type TailPosition, tailStreams } from './tail-position.ts';
import type { TailReader } from './tail-reader.ts';

const RESUME_MS_MAX = 20_000;
const ITEMS_PER_CHUNK = 200;

interface ResumeDeps {
  feed: TailFeed;
  shards: number;
  lives: Pick<TenantLives, 'status'>;
}

/**
 * Sends a reader the messages between its last position and the feed's, and then its held messages.
 * Reads at most `limits.tailResumeMessagesMax` messages, the newest of each stream. If there were
 * more, the reader gets a message about it.
 */
export async function resume(
  reader: TailReader,
  { from, upTo }: { from: TailPosition; upTo: TailPosition },
  deps: ResumeDeps,
): Promise<void> {
  const position = new Map(from);
  try {
    const signal = AbortSignal.any([reader.left.signal, AbortSignal.timeout(RESUME_MS_MAX)]);
    if (await startLater(position, upTo, deps)) {
      reader.connection.tellMissed(undefined, 'resumed_too_late');
    }
    for (const stream of tailStreams(deps.shards)) {
      await sendBetween(reader, stream, { position, upTo: upTo.get(stream) ?? 0 }, deps, signal);
    }
  } catch {
    // NATS does not answer, or reading took too long: the reader may resume again.
    reader.connection.tellMissed(undefined, 'resumed_too_late');
  }
  release(reader);
}

/** Moves a position that is too old. Returns whether messages are left out. */
async function startLater(
  position: Map<string, number>,
  upTo: TailPosition,
  { feed, shards }: ResumeDeps,
): Promise<boolean> {
  const names = tailStreams(shards);
  const bound = Math.floor(limits.tailResumeMessagesMax / names.length);
  let isLate = false;
  for (const stream of names) {
    const end = upTo.get(stream) ?? 0;
    const after = position.get(stream) ?? 0;
    // A forged position, or one of an installation that was restored from a backup.
    if (after >= end) {
      position.set(stream, end);
      continue;
    }
    const { first } = await feed.bounds(stream);
    const start = Math.max(after, end - bound, first - 1);
    isLate ||= start > after;
    position.set(stream, start);
  }
  return isLate;
}

async function sendBetween(
  reader: TailReader,
  stream: string,
  { position, upTo }: { position: Map<string, number>; upTo: number },
  { feed, shards, lives }: ResumeDeps,
  signal: AbortSignal,
): Promise<void> {
  const after = position.get(stream) ?? 0;
  if (after >= upTo) return;
  let lines: string[] = [];
  const flush = async (): Promise<void> => {
    if (lines.length === 0) return;
    // The reader sets the pace: nothing is left out because it reads slowly.
    await reader.connection.drained();
    const id = encodePosition(position, shards);
    reader.connection.send(`${lines.join('\n')}id: ${id}\n\n`, lines.length, id);
    lines = [];
  };
  await feed.readBetween(
    stream,
    { after, upTo },
    async ({ subject, seq, data }) => {
      for (const item of readable(subject, seq, data)) {
        const isCurrent = lives.status(item.lifeId) === 'current';
        if (isCurrent && selects(reader.selection, item)) lines.push(item.lines);
      }
      position.set(stream, seq);
      if (lines.length >= ITEMS_PER_CHUNK) await flush();
    },
    signal,
  );
  position.set(stream, upTo);
  await flush();
}

function readable(subject: string, seq: number, data: Uint8Array): TailItem[] {
  try {
    return tailItems(subject, seq, data);
  } catch {
    // The projector reports it.
    return [];
  }
}

/** Sends the held messages. From here on it gets messages as they come. */
function release(reader: TailReader): void {
  const { held = [], heldMissed, connection } = reader;
  reader.held = undefined;
  reader.heldBytes = 0;
  reader.heldMissed = 0;
  for (const { text, count, id } of held) connection.send(text, count, id);
  if (heldMissed > 0) connection.tellMissed(heldMissed, 'slow_reader');
}
