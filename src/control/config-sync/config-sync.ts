/**
 * Keeps the bucket CONFIG as MongoDB has it (RT-2), so that a change is in force in every process within
 * a second and none is missed.
 *
 * One round: note the time of the database; compare all that it holds, at that time or later, with all
 * that is in the bucket, and write what differs; then follow the changes since that time. The driver resumes a broken stream by itself where it can; where it cannot (its place is gone from
 * the oplog, a collection was dropped, MongoDB was away for long) the round ends, and the next one finds by
 * comparing whatever the stream did not tell.
 *
 * States: `starting` (no round has compared yet), `in_sync`, `behind` (the last round broke); left by the
 * end and the start of rounds. Any number of processes may run this at once (`config-writer.ts`).
 */
import type { ChangeStream, ClientSession, Db, MongoClient, Timestamp } from 'mongodb';
import { watchedCollections } from '#infra/mongo/configuration.ts';
import type { Log } from '#infra/telemetry/log.ts';
import { configKeys } from '#wire/subjects.ts';
import { RetryQueue } from '../deliveries/retry-queue.ts';
import type { SnapshotReader } from './snapshot-reader.ts';

const RESTART_MS = { first: 100, max: 5000 };
const WRITES_AT_ONCE = 8;

export interface ConfigSyncDeps {
  mongo: MongoClient;
  db: Db;
  reader: Pick<SnapshotReader, 'readRevisions'>;
  /** Every key that is in the bucket, with its revision. */
  readWritten: () => Promise<Map<string, number | undefined>>;
  /** Brings a key up to date. */
  write: (key: string) => Promise<void>;
  /** Told after each comparison, when all that differed is written. */
  markComplete: () => Promise<void>;
  log: Log;
  /** Run before the first round: the indexes. */
  prepare: () => Promise<void>;
}

export type SyncState = 'starting' | 'in_sync' | 'behind';

/** The parts of a change that say which key it is about. */
interface Change {
  operationType: string;
  ns?: { coll?: string };
  documentKey?: { _id: string };
}

const keyOf: Record<(typeof watchedCollections)[number], (id: string) => string> = {
  tenants: configKeys.tenant,
  event_types: configKeys.eventType,
  api_keys: configKeys.apiKey,
};

export class ConfigSync {
  private readonly deps: ConfigSyncDeps;
  private readonly queue: RetryQueue;
  private readonly stopping = new AbortController();
  private stream: ChangeStream | undefined;
  private running: Promise<void> | undefined;
  private current: SyncState = 'starting';
  private round = 0;

  constructor(deps: ConfigSyncDeps) {
    this.deps = deps;
    this.queue = new RetryQueue({
      work: (key) => deps.write(key),
      onFailure: (key, error) =>
        deps.log.warn({ key, error: (error as Error).message }, 'config.write_failed'),
      concurrency: WRITES_AT_ONCE,
    });
  }

  get state(): SyncState {
    return this.current;
  }

  /** Starts to run; does not wait for MongoDB or NATS, which may be away. */
  start(): void {
    this.running ??= this.runForEver();
  }

  /** Ends the round, so that the next one compares: the bucket is not what was written to it. */
  compareAgain(): void {
    void this.stream?.close().catch(() => undefined);
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    this.queue.stop();
    await this.stream?.close().catch(() => undefined);
    await this.running;
  }

  private async runForEver(): Promise<void> {
    let delayMs: number = RESTART_MS.first;
    let prepared = false;
    while (!this.stopping.signal.aborted) {
      try {
        // A client whose first connect failed never tries again by itself; on a connected one this is nothing.
        await this.deps.mongo.connect();
        if (!prepared) await this.deps.prepare();
        prepared = true;
        await this.runRound(() => {
          delayMs = RESTART_MS.first;
        });
      } catch (error) {
        if (this.stopping.signal.aborted) return;
        this.deps.log.warn({ error: (error as Error).message }, 'config.sync_broken');
      }
      this.round++;
      if (this.current === 'in_sync') this.current = 'behind';
      await this.pause(delayMs);
      delayMs = Math.min(delayMs * 2, RESTART_MS.max);
    }
  }

  private async runRound(onCompared: () => void): Promise<void> {
    // In this session every read sees at least what was stored at `startAtOperationTime`.
    const session = this.deps.mongo.startSession({ causalConsistency: true });
    try {
      await this.deps.db.command({ ping: 1 }, { session });
      const startAtOperationTime = session.operationTime;
      if (startAtOperationTime === undefined) throw new Error('MongoDB is not a replica set');
      await this.compare(session);
      onCompared();
      await this.follow(startAtOperationTime);
    } finally {
      await session.endSession();
    }
  }

  private async follow(startAtOperationTime: Timestamp): Promise<void> {
    const stream = this.deps.db.watch<never, Change & { _id: unknown }>(
      [
        { $match: { 'ns.coll': { $in: [...watchedCollections] } } },
        { $project: { operationType: 1, ns: 1, documentKey: 1 } },
      ],
      { batchSize: 1000, startAtOperationTime },
    );
    this.stream = stream as unknown as ChangeStream;
    try {
      while (!this.stopping.signal.aborted) this.take(await stream.next());
    } finally {
      await stream.close().catch(() => undefined);
    }
  }

  /** Compares every key by its revision, and has what differs written. */
  private async compare(session: ClientSession): Promise<void> {
    const there = await this.deps.readWritten();
    const wanted = await this.deps.reader.readRevisions(session);
    const differ: string[] = [];
    for (const [key, revision] of wanted) {
      if (there.get(key) !== revision) differ.push(key);
      there.delete(key);
    }
    differ.push(...there.keys());
    for (const key of differ) this.queue.add(key);
    // Not waited for: the changes that come now must not stand behind a key that cannot be written.
    void this.reportInSync({ keys: wanted.size, written: differ.length });
  }

  private async reportInSync(counts: { keys: number; written: number }): Promise<void> {
    const round = ++this.round;
    await this.queue.idle();
    if (round !== this.round || this.stopping.signal.aborted) return;
    await this.deps.markComplete().catch((error: Error) => {
      this.deps.log.warn({ error: error.message }, 'config.not_marked_complete');
    });
    this.current = 'in_sync';
    this.deps.log.info(counts, 'config.in_sync');
  }

  private take(change: Change): void {
    const collection = change.ns?.coll as (typeof watchedCollections)[number] | undefined;
    const id = change.documentKey?._id;
    if (collection !== undefined && id !== undefined) this.queue.add(keyOf[collection](id));
    // A collection was dropped or renamed: there is no telling which documents went.
    else throw new Error(`the configuration was changed by "${change.operationType}"`);
  }

  private async pause(ms: number): Promise<void> {
    const { signal } = this.stopping;
    if (signal.aborted) return;
    await new Promise<void>((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', end);
        resolve();
      };
      const timer = setTimeout(end, ms);
      signal.addEventListener('abort', end);
    });
  }
}
