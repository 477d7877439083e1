import { type History, createMongoClient, historyOf } from '#infra/mongo/documents.ts';
import { testMongo } from '#testkit/servers.ts';

/**
 * The history in a database of the test's own.
 *
 * @param mongoUrl another MongoDB than that of the test run
 * @param stops gets what closes it
 */
export async function openHistory(
  mongoUrl: string | undefined,
  stops: (() => Promise<unknown>)[],
): Promise<History> {
  if (mongoUrl === undefined) {
    const mongo = await testMongo();
    stops.push(() => mongo.dispose());
    return historyOf(mongo.db);
  }
  const client = createMongoClient(mongoUrl, 'test');
  stops.push(() => client.close());
  return historyOf(client.db('test'));
}
