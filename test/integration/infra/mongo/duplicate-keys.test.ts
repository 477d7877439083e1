import assert from 'node:assert/strict';
import { test } from 'node:test';
import { duplicateKeys } from '#infra/mongo/duplicate-keys.ts';
import { testMongo } from '#testkit/servers.ts';

interface Item {
  _id: number;
  size?: number;
}

test('duplicate keys are distinguished from other faults of a bulk write', async (t) => {
  const mongo = await testMongo();
  t.after(() => mongo.dispose());
  const items = await mongo.db.createCollection<Item>('items', {
    validator: { size: { $not: { $gt: 9 } } },
  });
  const insert = async (documents: Item[]): Promise<unknown> => {
    try {
      await items.insertMany(documents, { ordered: false });
      return undefined;
    } catch (error) {
      return error;
    }
  };
  assert.equal(await insert([{ _id: 1 }, { _id: 2 }]), undefined);

  const duplicates = await insert([{ _id: 3 }, { _id: 1 }, { _id: 4 }, { _id: 2 }]);
  assert.deepEqual(
    duplicateKeys(duplicates)?.map(({ index }) => index),
    [1, 3],
  );
  assert.equal(await items.countDocuments(), 4, 'all others are stored');

  const mixed = await insert([{ _id: 1 }, { _id: 5, size: 10 }]);
  assert.equal(duplicateKeys(mixed), undefined, 'a rejected document is another fault');
  assert.equal(duplicateKeys(new Error('not a bulk write')), undefined);
});
