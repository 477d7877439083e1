/**
 * Brings one key of the bucket CONFIG up to the state in MongoDB.
 * Any number of processes may do this at the same time for the same key, however slowly. A writer
 * reads the key, then MongoDB, and then writes on the condition that the key is unchanged. So each
 * written value was read from MongoDB after the value that it replaces, and the bucket only moves
 * forward. A writer that loses the race reads both again. At least one run follows every change in
 * MongoDB, so the last state is published.
 */
import type { KV } from '@nats-io/kv';
import { isWriteConflict } from '#infra/nats/api-errors.ts';
import type { Log } from '#infra/telemetry/log.ts';
import { configKeys } from '#wire/subjects.ts';
import type { ConfigSnapshot } from './snapshot-reader.ts';

/** Each lost race is a success of another writer, so more than a few in a row are not expected. */
const TRIES_MAX = 50;
const READ_TIMEOUT_MS = 30_000;

export interface ConfigWriterDeps {
  openBucket: () => Promise<KV>;
  read: (key: string) => Promise<ConfigSnapshot | undefined>;
  /** Returns the revision that `read` would give now. */
  readRevision: (key: string) => Promise<number | undefined>;
  log: Log;
}

export class ConfigWriter {
  private readonly deps: ConfigWriterDeps;
  private bucket: KV | undefined;
  /**
   * By key: the revision that this writer has seen there. The bucket only moves forward, so it has
   * that revision or a later one.
   */
  private readonly seen = new Map<string, number>();

  constructor(deps: ConfigWriterDeps) {
    this.deps = deps;
  }

  /**
   * Writes the key if it differs from MongoDB.
   *
   * @returns the size of the value in bytes; 0 if it was known to be current
   * @throws errors of MongoDB or NATS; the key is then unchanged or up to date
   */
  async sync(key: string): Promise<number> {
    const seen = this.seen.get(key);
    if (seen !== undefined && (await this.deps.readRevision(key)) === seen) return 0;
    const kv = await this.open();
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      const bytes = await this.syncOnce(kv, key);
      if (bytes !== undefined) return bytes;
    }
    throw new Error(`the key ${key} changed ${TRIES_MAX} times while it was being written`);
  }

  /**
   * Lists every key with its revision; undefined for a value that this version does not write.
   * Forgets the revisions seen earlier, because the bucket may have been created again.
   */
  async readRevisions(): Promise<Map<string, number | undefined>> {
    this.seen.clear();
    const kv = await this.open();
    const revisions = new Map<string, number | undefined>();
    const entries = await kv.history({ key: '>' });
    const timer = setTimeout(
      () => entries.stop(new Error('the bucket CONFIG could not be read in time')),
      READ_TIMEOUT_MS,
    );
    try {
      for await (const entry of entries) {
        if (entry.key === configKeys.complete) continue;
        if (entry.operation === 'PUT') revisions.set(entry.key, revisionOf(entry.string()));
        else revisions.delete(entry.key);
      }
    } finally {
      clearTimeout(timer);
    }
    return revisions;
  }

  /**
   * Marks the bucket as holding all that MongoDB had: from then on, a missing tenant is a deleted
   * one and not one still to be published.
   */
  async markComplete(): Promise<void> {
    const kv = await this.open();
    if ((await kv.get(configKeys.complete))?.operation !== 'PUT') {
      await kv.put(configKeys.complete, '{}');
    }
  }

  /**
   * Returns the size of the value if the key is up to date; undefined if another writer changed it
   * in between.
   */
  private async syncOnce(kv: KV, key: string): Promise<number | undefined> {
    const entry = await kv.get(key);
    // Must come after reading the key: see the class description.
    const wanted = await this.deps.read(key);
    const there = entry?.operation === 'PUT' ? entry.string() : undefined;
    try {
      if (wanted === undefined) {
        this.seen.delete(key);
        if (there !== undefined) await kv.delete(key, { previousSeq: entry?.revision as number });
        return 0;
      }
      const value = JSON.stringify(wanted);
      if (this.isBehind(key, wanted, there)) return value.length;
      if (there !== value) await kv.put(key, value, { previousSeq: entry?.revision ?? 0 });
      this.seen.set(key, wanted.rev);
      return value.length;
    } catch (error) {
      if (isWriteConflict(error)) return undefined;
      throw error;
    }
  }

  /**
   * Whether MongoDB is older than the bucket: it was restored from a backup, or this read
   * went to a replica that lags. A lower revision never replaces a higher one; the next change of
   * the resource does.
   */
  private isBehind(key: string, wanted: ConfigSnapshot, there: string | undefined): boolean {
    const revision = there === undefined ? undefined : revisionOf(there);
    if (revision === undefined || revision <= wanted.rev) return false;
    const facts = { key, bucket_revision: revision, database_revision: wanted.rev };
    this.deps.log.warn(facts, 'config.database_behind');
    return true;
  }

  private async open(): Promise<KV> {
    this.bucket ??= await this.deps.openBucket();
    return this.bucket;
  }
}

function revisionOf(json: string): number | undefined {
  try {
    const value = JSON.parse(json) as { v?: unknown; rev?: unknown };
    return value.v === 1 && typeof value.rev === 'number' ? value.rev : undefined;
  } catch {
    return undefined;
  }
}
