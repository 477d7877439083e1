import { MongoClient } from 'mongodb';
import { historyOf } from '#infra/mongo/documents.ts';

/**
 * Counts the deliveries that the history of these tenants shows as delivered, with an attempt that
 * was answered 2xx.
 */
export async function countDelivered(url: string, tenants: readonly string[]): Promise<number> {
  const client = new MongoClient(url, { serverSelectionTimeoutMS: 2000 });
  try {
    const { deliveries } = historyOf(client.db('posthorn'));
    const found = deliveries.find({ tenant: { $in: [...tenants] }, 'state.status': 'delivered' });
    let complete = 0;
    for await (const delivery of found) {
      const attempts = Object.values(delivery.attempts ?? {});
      if (attempts.some(({ status = 0 }) => status >= 200 && status < 300)) complete++;
    }
    return complete;
  } finally {
    await client.close();
  }
}
