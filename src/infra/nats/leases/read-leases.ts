import type { JetStreamManager } from '@nats-io/jetstream';
import { type LeaseKind, buckets, leaseKeys } from '#wire/subjects.ts';
import { readBatch } from '../consume/read-batch.ts';

export interface Leases {
  /** Those that live. */
  workers: string[];
  /** By shard; one that is not in it has no owner. */
  owners: Map<number, string>;
  /** By shard: the revision at which its owner stands there. */
  revisions: Map<number, number>;
}

/** What stands in the bucket LEASES for one kind of worker, at this moment. */
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
