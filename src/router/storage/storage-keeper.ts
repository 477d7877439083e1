/**
 * Makes room in the streams of the shards that this process owns: of events, records and, for the
 * owner of shard 0, dead letters. From a mark of fullness on it removes the oldest messages that no
 * reader needs any more (`floors.ts`), down to a lower mark. An event that is not routed, not in
 * the history, or owed by reference is never removed: the stream refuses new events then.
 *
 * A crash at any line is safe. A purge is one request, which the stream has carried out or not, and
 * it names a sequence below floors that only rise. So a repeat removes nothing else, and neither
 * does a process that has lost the shard.
 */
import type { JetStreamManager, StreamInfo } from '@nats-io/jetstream';
import { Counter, type Registry } from 'prom-client';
import type { Clock } from '#domain/clock.ts';
import { storageMarks } from '#domain/storage-shares.ts';
import {
  type StorageSettings,
  fillOf,
  readStorageUsage,
} from '#infra/nats/streams/storage-usage.ts';
import type { Log } from '#infra/telemetry/log.ts';
import { routerFloor } from '#infra/nats/consume/router-floor.ts';
import { RepeatingFault } from '#infra/telemetry/repeating-fault.ts';
import { streams } from '#wire/subjects.ts';
import { type Floor, REPLAY_WINDOW_MS_MIN, projectorFloor, timeFloor } from './floors.ts';
import { OwedReferences } from './owed-references.ts';

const POLL_EVERY_MS = 5000;

export interface StorageKeeperDeps {
  jsm: JetStreamManager;
  settings: StorageSettings & { shards: number };
  owns: (shard: number) => boolean;
  /** Broker time, milliseconds since 1970. */
  brokerNow: () => number;
  registry: Registry;
  clock: Clock;
  log: Pick<Log, 'warn'>;
  pollEveryMs?: number;
  confirmAfterMs?: number;
}

/** A stream that may be purged, and its readers. */
interface KeptStream {
  stream: string;
  shard: number;
  isEvents: boolean;
}

export class StorageKeeper {
  private readonly deps: StorageKeeperDeps;
  private readonly references: OwedReferences;
  private readonly fault: RepeatingFault;
  private readonly blocked: RepeatingFault;
  private readonly purged: Counter<'stream'>;
  private readonly stopping = new AbortController();
  private timer: NodeJS.Timeout | undefined;
  private polling: Promise<void> = Promise.resolve();

  constructor(deps: StorageKeeperDeps) {
    this.deps = deps;
    this.references = new OwedReferences({
      jsm: deps.jsm,
      replicas: deps.settings.replicas,
      ...(deps.confirmAfterMs === undefined ? {} : { confirmAfterMs: deps.confirmAfterMs }),
    });
    const now = deps.clock.monotonicMs;
    this.fault = new RepeatingFault(deps.log, 'storage.look_failed', now);
    this.blocked = new RepeatingFault(deps.log, 'storage.purge_blocked', now);
    this.purged = new Counter({
      name: 'posthorn_stream_purged_early_messages_total',
      help: 'Messages that were removed before the end of their retention to make room.',
      labelNames: ['stream'],
      registers: [deps.registry],
    });
  }

  start(): void {
    this.timer = setTimeout(() => {
      this.polling = this.poll().finally(() => {
        if (!this.stopping.signal.aborted) this.start();
      });
    }, this.deps.pollEveryMs ?? POLL_EVERY_MS);
    this.timer.unref();
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    clearTimeout(this.timer);
    await this.polling;
  }

  private async poll(): Promise<void> {
    try {
      const { jsm, settings } = this.deps;
      const usage = await readStorageUsage(jsm, settings);
      const { purgeFrom, purgeTo } = storageMarks;
      const isPressed = fillOf(usage) >= purgeFrom;
      // Beyond their own bounds, events make room for everything else.
      const excess = isPressed ? usage.bytes - (usage.bytesMax ?? 0) * purgeTo : 0;
      await Promise.all(
        this.keptStreams().map((kept) =>
          this.relieve(kept, kept.isEvents ? excess / settings.shards : 0),
        ),
      );
    } catch (error) {
      this.fault.failed(error as Error);
    }
  }

  private keptStreams(): KeptStream[] {
    const kept: KeptStream[] = [];
    for (let shard = 0; shard < this.deps.settings.shards; shard++) {
      if (!this.deps.owns(shard)) {
        this.references.forget(shard);
        continue;
      }
      kept.push({ stream: streams.events(shard), shard, isEvents: true });
      kept.push({ stream: streams.records(shard), shard, isEvents: false });
      if (shard === 0) kept.push({ stream: streams.deadLetters, shard, isEvents: false });
    }
    return kept;
  }

  private async relieve(kept: KeptStream, excess: number): Promise<void> {
    const { stream } = kept;
    try {
      const info = await this.deps.jsm.streams.info(stream);
      const bytes = Math.max(excess, ownExcess(info));
      if (bytes > 0 && info.state.messages > 0) await this.purge(kept, info, bytes);
    } catch (error) {
      if (!this.stopping.signal.aborted) this.fault.failed(error as Error, { stream });
    }
  }

  /** Removes about as many bytes of the oldest messages as wanted, and none above a floor. */
  private async purge(kept: KeptStream, { state }: StreamInfo, bytes: number): Promise<void> {
    const { jsm, brokerNow, log } = this.deps;
    const { stream } = kept;
    const count = Math.min(state.messages, Math.ceil(bytes / (state.bytes / state.messages)));
    const range = { first: state.first_seq, wanted: state.first_seq + count };
    const floor = await this.lowestFloor(kept, range);
    const seq = Math.min(range.wanted, floor.seq);
    if (floor.seq < range.wanted) {
      this.blocked.failed(new Error('messages are still needed'), { stream, by: floor.by });
    }
    if (seq <= range.first || !this.deps.owns(kept.shard)) return;
    const { purged } = await jsm.streams.purge(stream, { seq });
    if (purged === 0) return;
    this.purged.inc({ stream }, purged);
    const { state: left } = await jsm.streams.info(stream);
    const windowMs = left.messages === 0 ? 0 : brokerNow() - Date.parse(left.first_ts);
    const facts = { stream, messages: purged, freed_bytes: state.bytes - left.bytes };
    const replay_window_seconds = Math.round(windowMs / 1000);
    log.warn({ ...facts, replay_window_seconds }, 'storage.purged_early');
  }

  private async lowestFloor(
    { stream, shard, isEvents }: KeptStream,
    range: { first: number; wanted: number },
  ): Promise<Floor> {
    const { jsm, brokerNow } = this.deps;
    const windowStartMs = brokerNow() - REPLAY_WINDOW_MS_MIN;
    const floors: Floor[] = [
      { by: 'window', seq: await timeFloor(jsm, stream, windowStartMs) },
      { by: 'projector', seq: await projectorFloor(jsm, stream) },
    ];
    if (isEvents) floors.push({ by: 'router', seq: (await routerFloor(jsm, shard)) + 1 });
    const lowest = lowestOf(floors);
    // Reads all of DLV-k, so only if the other floors leave something to remove.
    if (!isEvents || lowest.seq <= range.first) return lowest;
    const { signal } = this.stopping;
    const seq = await this.references.floor(shard, range, lowest.seq, signal);
    return seq < lowest.seq ? { by: 'delivery', seq } : lowest;
  }
}

/** Bytes above the lower mark, once a stream is over the upper one. */
function ownExcess({ state, config }: StreamInfo): number {
  const { bytes } = state;
  const bytesMax = config.max_bytes;
  if (fillOf({ bytes, bytesMax }) < storageMarks.purgeFrom) return 0;
  return bytes - bytesMax * storageMarks.purgeTo;
}

function lowestOf(floors: readonly Floor[]): Floor {
  return floors.reduce((lowest, floor) => (floor.seq < lowest.seq ? floor : lowest));
}
