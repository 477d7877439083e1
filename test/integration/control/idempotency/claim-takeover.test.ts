import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import type { ClientSession } from 'mongodb';
import { limits } from '#domain/limits.ts';
import { SecretBox } from '#infra/crypto/secret-box.ts';
import {
  ensureIdempotentAnswerIndexes,
  idempotentAnswersOf,
} from '#infra/mongo/idempotent-answers.ts';
import { runTransaction } from '#infra/mongo/transaction.ts';
import { systemClock } from '#infra/system-clock.ts';
import { type Claim, IdempotentAnswers } from '#src/control/idempotency/idempotent-answers.ts';
import { type TestMongo, testMongo } from '#testkit/servers.ts';
import { ManualClock } from '#testkit/test-clock.ts';

let mongo: TestMongo;
const secretBox = new SecretBox(randomBytes(32).toString('base64'));
const busy = { code: 'POSTHORN_IDEMPOTENCY_KEY_BUSY' };

before(async () => {
  mongo = await testMongo();
  await ensureIdempotentAnswerIndexes(mongo.db);
  await mongo.db.createCollection('made');
});
after(() => mongo.dispose());

/** Two processes on one database; `expire` moves both clocks past the deadline of a claim. */
function twoProcesses(key: string) {
  const clock = new ManualClock();
  const answers = idempotentAnswersOf(mongo.db);
  const process = () => new IdempotentAnswers({ answers, secretBox, clock });
  const bound = { caller: 'c', method: 'POST', tenant: 'acme', life: 'acme' };
  const request = { ...bound, route: '/p', params: {}, key, query: {}, body: {} };
  const made = mongo.db.collection<{ by: string; key: string }>('made');
  const change = async (
    on: IdempotentAnswers,
    claim: Claim,
    by: string,
    session: ClientSession,
  ) => {
    await on.fence(claim, session);
    await made.insertOne({ by, key }, { session });
    await on.keep(claim, { status: 201, headers: {}, body: by }, session);
  };
  return {
    first: process(),
    second: process(),
    expire: () => clock.advance(limits.idempotencyClaimSeconds * 1000),
    claim: async (on: IdempotentAnswers): Promise<Claim> => {
      const found = await on.claim(request);
      assert.ok('claim' in found, 'the request must run');
      return found.claim;
    },
    answered: async (on: IdempotentAnswers): Promise<string> => {
      const found = await on.claim(request);
      assert.ok('answer' in found, 'the request must not run');
      return found.answer.body;
    },
    change,
    run: (on: IdempotentAnswers, claim: Claim, by: string) =>
      runTransaction(mongo.client, systemClock, (session) => change(on, claim, by, session)),
    made: async () => (await made.find({ key }).toArray()).map(({ by }) => by),
  };
}

/** Opens a transaction that the test ends itself, like a process that dies inside it. */
async function openTransaction(): Promise<ClientSession> {
  const session = mongo.client.startSession();
  session.startTransaction({ readConcern: { level: 'snapshot' }, writeConcern: { w: 'majority' } });
  return session;
}

test('a repeat runs after the deadline when the holder died before its transaction', async () => {
  const { first, second, expire, claim, answered, run, made } = twoProcesses('before');
  const dead = await claim(first);
  await assert.rejects(claim(second), busy);
  expire();
  const taken = await claim(second);
  await assert.rejects(claim(first), busy, 'the new holder has its own deadline');
  await run(second, taken, 'second');
  assert.equal(await answered(first), 'second');
  await assert.rejects(run(first, dead, 'first'), busy, 'a late holder changes nothing');
  await first.keep(dead, { status: 201, headers: {}, body: 'first' });
  await first.free(dead);
  assert.equal(await answered(second), 'second');
  assert.deepEqual(await made(), ['second']);
});

test('a repeat waits for the open transaction of a dead holder, then runs once', async () => {
  const { first, second, expire, claim, change, answered, run, made } = twoProcesses('inside');
  const dead = await claim(first);
  const session = await openTransaction();
  await change(first, dead, 'first', session);
  expire();
  await assert.rejects(claim(second), busy);
  // MongoDB ends transactions without a client by itself.
  await session.abortTransaction();
  await session.endSession();
  await run(second, await claim(second), 'second');
  assert.equal(await answered(first), 'second');
  assert.deepEqual(await made(), ['second']);
});

test('a repeat gets the answer when the holder died after the commit', async () => {
  const { first, second, expire, claim, answered, run, made } = twoProcesses('after');
  await run(first, await claim(first), 'first');
  assert.equal(await answered(second), 'first');
  expire();
  assert.equal(await answered(second), 'first');
  assert.deepEqual(await made(), ['first']);
});

test('a takeover finds the answer when the open transaction of the holder commits', async () => {
  const { first, second, expire, claim, change, answered, made } = twoProcesses('commits');
  const slow = await claim(first);
  const session = await openTransaction();
  await change(first, slow, 'first', session);
  expire();
  await assert.rejects(claim(second), busy);
  await session.commitTransaction();
  await session.endSession();
  assert.equal(await answered(second), 'first');
  assert.deepEqual(await made(), ['first']);
});

test('a transaction whose snapshot is older than the takeover changes nothing', async () => {
  const { first, second, expire, claim, change, answered, run, made } = twoProcesses('snapshot');
  const slow = await claim(first);
  const session = await openTransaction();
  await mongo.db.collection('made').findOne({}, { session });
  expire();
  await run(second, await claim(second), 'second');
  await assert.rejects(change(first, slow, 'first', session), { codeName: 'WriteConflict' });
  await session.abortTransaction();
  await session.endSession();
  await assert.rejects(run(first, slow, 'first'), busy);
  assert.equal(await answered(first), 'second');
  assert.deepEqual(await made(), ['second']);
});

test('of many repeats after the deadline one takes the claim over', async () => {
  const { first, second, expire, claim, run, made } = twoProcesses('many');
  await claim(first);
  expire();
  const all = await Promise.allSettled(
    Array.from({ length: 20 }, async (_, i) => {
      const on = i % 2 === 0 ? first : second;
      await run(on, await claim(on), 'taken');
    }),
  );
  assert.equal(all.filter(({ status }) => status === 'fulfilled').length, 1);
  assert.deepEqual(await made(), ['taken']);
});
