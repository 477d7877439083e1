import type { JetStreamManager } from '@nats-io/jetstream';
import { type LeaseKind, buckets, leaseKeys } from '#wire/subjects.ts';
import { readBatch } from '../consume/read-batch.ts';

export interface Leases {
  /** Live workers. */
  workers: string[];
  /** By shard; a missing shard has no owner. */
  owners: Map<number, string>;
  /** By shard: the revision of its owner's entry. */
  revisions: Map<number, number>;
}

/** Reads the current leases of one kind of worker from the bucket LEASES. */
export async function readLeases(jsm: JetStreamManager, kind: LeaseKind): Promise<Leases> {
  const prefix = `$KV.${buckets.leases}.`;
  const keys = leaseKeys(kind);
  const workers: string[] = [];
  const owners = new Map<number, string>();
  const revisions = new Map<number, number>();
  const query = { multi_last: [`${prefix}${kind}.>`] };
  for (const entry of await readBatch(jsm, `KV_${buckets.leases}`, query)) {
    // A deleted key leaves a marker without a value.
    if (entry.data.length === 0) continue;
    const shard = keys.shardOf(entry.subject.slice(prefix.length));
    if (shard === undefined) {
      workers.push(entry.string());
      continue;
    }
    owners.set(shard, entry.string());
    revisions.set(shard, entry.seq);
  }
  return { workers, owners, revisions };
}
