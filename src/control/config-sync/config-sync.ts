/**
 * Keeps the bucket CONFIG equal to MongoDB (RT-2): every change is in force in every process within
 * a second, and none is missed.
 * Each round notes the time of the database, compares all of its state at that time or later with
 * the bucket, writes the differences, and then follows the change stream from that time.
 * The driver resumes a broken stream if it can. It cannot if the resume point has left the oplog, a
 * collection was dropped, or MongoDB was unavailable for long. Then the round ends, and the
 * comparison of the next round finds the missed changes.
 * States: `starting` (no round has completed its comparison), `in_sync`, `behind` (the last round
 * failed). Rounds change the state at their start and end. Any number of processes may run this at
 * the same time (`config-writer.ts`).
 */
import type { ChangeStream, ClientSession, Db, MongoClient, Timestamp } from 'mongodb';
import { Backoff } from '#domain/contention/backoff.ts';
import { watchedCollections } from '#infra/mongo/configuration.ts';
import { pause } from '#infra/retry.ts';
import type { Log } from '#infra/telemetry/log.ts';
import { configKeys } from '#wire/subjects.ts';
import { RetryQueue } from '../deliveries/retry-queue.ts';
import type { SnapshotReader } from './snapshot-reader.ts';

const RESTART_DELAYS = { firstMs: 100, maxMs: 5000 };
const WRITES_AT_ONCE = 8;

export interface ConfigSyncDeps {
  mongo: MongoClient;
  db: Db;
  reader: Pick<SnapshotReader, 'readRevisions'>;
  /** Lists every key in the bucket, with its revision. */
  readWritten: () => Promise<Map<string, number | undefined>>;
  /** Brings a key up to date. */
  write: (key: string) => Promise<void>;
  /** Called after each comparison, when all differences are written. */
  markComplete: () => Promise<void>;
  log: Log;
  /** Runs before the first round; creates the indexes. */
  prepare: () => Promise<void>;
}

export type SyncState = 'starting' | 'in_sync' | 'behind';

/** The parts of a change event that identify the key. */
interface Change {
  operationType: string;
  ns?: { coll?: string };
  documentKey?: { _id: string };
}

const keyOf: Record<(typeof watchedCollections)[number], (id: string) => string> = {
  tenants: configKeys.tenant,
  event_types: configKeys.eventType,
  api_keys: configKeys.apiKey,
  session_revocations: configKeys.revocation,
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

  /** Starts to run; does not wait for MongoDB or NATS, which may be unavailable. */
  start(): void {
    this.running ??= this.runForEver();
  }

  /** Ends the round, so that the next one compares: the content of the bucket was lost. */
  requestComparison(): void {
    void this.stream?.close().catch(() => undefined);
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    this.queue.stop();
    await this.stream?.close().catch(() => undefined);
    await this.running;
  }

  private async runForEver(): Promise<void> {
    const backoff = new Backoff(RESTART_DELAYS);
    let prepared = false;
    while (!this.stopping.signal.aborted) {
      try {
        // A client whose first connect failed never retries on its own; on a connected client this
        // does nothing.
        await this.deps.mongo.connect();
        if (!prepared) await this.deps.prepare();
        prepared = true;
        await this.runRound(() => backoff.reset());
      } catch (error) {
        if (this.stopping.signal.aborted) return;
        this.deps.log.warn({ error: (error as Error).message }, 'config.sync_broken');
      }
      this.round++;
      if (this.current === 'in_sync') this.current = 'behind';
      await pause(backoff.next(), this.stopping.signal);
    }
  }

  private async runRound(onCompared: () => void): Promise<void> {
    // In this session, every read sees at least the state at `startAtOperationTime`.
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

  /** Compares every key by its revision and writes the differences. */
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
    // Not awaited: a key that cannot be written must not delay the changes that follow.
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
    // A collection was dropped or renamed: the stream does not list the documents that it had.
    else throw new Error(`the configuration was changed by "${change.operationType}"`);
  }
}
