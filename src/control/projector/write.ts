import type { AnyBulkWriteOperation, Collection } from 'mongodb';
import type { DeliveryDocument, EventDocument, History } from '#infra/mongo/documents.ts';
import type { AttemptDocument } from '#infra/mongo/history/attempts.ts';
import { duplicateKeys } from '#infra/mongo/duplicate-keys.ts';
import type { Batch, DeliveryChange, EventChange } from './merge.ts';

/**
 * Writes a batch durably (the client's write concern waits for the journal). Documents that are new
 * to the batch are inserted, which costs half of an upsert. If the document already exists, because
 * another batch created it or this batch is repeated after a crash, the insert fails and the same
 * change is applied as an update.
 *
 * @throws MongoError if MongoDB is unavailable: nothing must be acked then
 */
export async function writeBatch(history: History, batch: Batch): Promise<void> {
  await Promise.all([
    writeAll(history.events, [...batch.events.values()], insertEvent, updateEvent),
    writeAll(history.deliveries, [...batch.deliveries.values()], insertDelivery, updateDelivery),
    insertAttempts(history.attempts, [...batch.attemptDocuments.values()]),
  ]);
}

/** An attempt that exists already is the same: its id is random and it is written once. */
async function insertAttempts(
  collection: Collection<AttemptDocument>,
  attempts: AttemptDocument[],
): Promise<void> {
  if (attempts.length === 0) return;
  try {
    await collection.insertMany(attempts, { ordered: false });
  } catch (error) {
    if (duplicateKeys(error) === undefined) throw error;
  }
}

async function writeAll<T extends EventDocument | DeliveryDocument, C extends { whole: boolean }>(
  collection: Collection<T>,
  changes: C[],
  insert: (change: C) => AnyBulkWriteOperation<T>,
  update: (change: C) => AnyBulkWriteOperation<T>,
): Promise<void> {
  let operations = changes.map((change) => (change.whole ? insert(change) : update(change)));
  let tried = changes;
  while (operations.length > 0) {
    try {
      await collection.bulkWrite(operations, { ordered: false });
      return;
    } catch (error) {
      // Two upserts of one new document may race too; the loser is applied again as well.
      const faults = duplicateKeys(error);
      if (faults === undefined) throw error;
      tried = faults.map((fault) => tried[fault.index] as C);
      operations = tried.map(update);
    }
  }
}

function insertEvent({ fields }: EventChange): AnyBulkWriteOperation<EventDocument> {
  return { insertOne: { document: fields } };
}

function updateEvent({ fields }: EventChange): AnyBulkWriteOperation<EventDocument> {
  const { _id, tenant, id, accepted_at, ...set } = fields;
  return {
    updateOne: {
      filter: { _id },
      update: { $set: set, $setOnInsert: { tenant, id, accepted_at } },
      upsert: true,
    },
  };
}

function insertDelivery({ document }: DeliveryChange): AnyBulkWriteOperation<DeliveryDocument> {
  return { insertOne: { document } };
}

function updateDelivery({ document }: DeliveryChange): AnyBulkWriteOperation<DeliveryDocument> {
  const { _id, state, attempts, last_attempt, ...fixed } = document;
  const set: Record<string, unknown> = {};
  for (const id in attempts) set[`attempts.${id}`] = attempts[id];
  return {
    updateOne: {
      filter: { _id },
      update: {
        $max: { state, ...(last_attempt === undefined ? {} : { last_attempt }) },
        $setOnInsert: fixed,
        ...(attempts === undefined ? {} : { $set: set }),
      },
      upsert: true,
    },
  };
}
