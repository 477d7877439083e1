import { MongoClient } from 'mongodb';
import { historyOf } from '#infra/mongo/documents.ts';

/**
 * Counts the deliveries that the history of these tenants shows as delivered, with an attempt that
 * was answered 2xx.
 */
export async function countDelivered(url: string, tenants: readonly string[]): Promise<number> {
  const client = new MongoClient(url, { serverSelectionTimeoutMS: 2000 });
  try {
    const { deliveries, attempts } = historyOf(client.db('posthorn'));
    const tenant = { $in: [...tenants] };
    const answered = { tenant, response_status: { $gte: 200, $lt: 300 } };
    const complete = new Set(await attempts.distinct('delivery', answered));
    const delivered = deliveries.find({ tenant, 'state.status': 'delivered' });
    let count = 0;
    for await (const { _id } of delivered) if (complete.has(_id)) count++;
    return count;
  } finally {
    await client.close();
  }
}
