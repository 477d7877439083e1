/**
 * Brings one key of the bucket CONFIG up to what MongoDB holds.
 *
 * Any number of processes may do this at once, for the same key, however slowly. A writer reads the key,
 * then MongoDB, then writes on the condition that the key is still as it was read. So what it writes was
 * read from MongoDB after whatever it replaces, and the bucket only ever moves forward; who loses the race
 * reads both again. Every change in MongoDB is followed by at least one run, so the last state gets there.
 */
import type { KV } from '@nats-io/kv';
import { isLostWrite } from '#infra/nats/api-errors.ts';
import type { Log } from '#infra/telemetry/log.ts';
import { configKeys } from '#wire/subjects.ts';
import type { ConfigSnapshot } from './snapshot-reader.ts';

/** Each lost race is another writer's success: more than a few in a row are not to be expected. */
const TRIES_MAX = 50;
const READ_TIMEOUT_MS = 30_000;

export interface ConfigWriterDeps {
  openBucket: () => Promise<KV>;
  read: (key: string) => Promise<ConfigSnapshot | undefined>;
  /** Of what `read` would give now. */
  readRevision: (key: string) => Promise<number | undefined>;
  log: Log;
}

export class ConfigWriter {
  private readonly deps: ConfigWriterDeps;
  private bucket: KV | undefined;
  /** By key: what this writer has seen there. The bucket only moves forward, so it holds that or more. */
  private readonly seen = new Map<string, number>();

  constructor(deps: ConfigWriterDeps) {
    this.deps = deps;
  }

  /**
   * @returns the bytes of the value; 0 where it was known to be there
   * @throws whatever MongoDB or NATS throw; the key is then as it was, or as it should be
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
   * Every key that is there, with its revision; undefined for a value that this version does not write. What was
   * seen before counts no more: the bucket may have been made anew.
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

  /** Says in the bucket that it holds all that MongoDB had: a tenant that is not in it is deleted, not yet to come. */
  async markComplete(): Promise<void> {
    const kv = await this.open();
    if ((await kv.get(configKeys.complete))?.operation !== 'PUT') {
      await kv.put(configKeys.complete, '{}');
    }
  }

  /** The bytes of the value where the key is as it should be; undefined where another writer came between. */
  private async syncOnce(kv: KV, key: string): Promise<number | undefined> {
    const entry = await kv.get(key);
    // Only after the key: see above.
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
      if (isLostWrite(error)) return undefined;
      throw error;
    }
  }

  /**
   * MongoDB behind the bucket: it was restored from a backup, or this reader was sent to a member that is
   * behind. A lower revision never replaces a higher one; the next change of the resource will.
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
