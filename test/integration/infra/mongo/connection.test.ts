import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MongoClient } from 'mongodb';
import { ConfigError } from '#domain/errors.ts';
import { createMongoClient } from '#infra/mongo/documents.ts';
import { connectWithRetry } from '#infra/mongo/connect-with-retry.ts';
import type { Log } from '#infra/telemetry/log.ts';
import { findFreePort } from '#src/embedded/free-port.ts';
import { testMongo } from '#testkit/servers.ts';
import { waitUntil } from '#testkit/wait-until.ts';

function keptLog(): { log: Log; lines: Record<string, unknown>[] } {
  const lines: Record<string, unknown>[] = [];
  const at = (level: string) => (facts: object, name: string) => {
    lines.push({ level, name, ...facts });
  };
  return { log: { warn: at('warn'), error: at('error') } as unknown as Log, lines };
}

test('a wrong password ends a role that needs MongoDB, and other roles log it and continue', async (t) => {
  const mongo = await testMongo();
  t.after(() => mongo.dispose());
  const { host, search } = new URL(mongo.url);
  const wrong = `mongodb://somebody:hidden@${host}/${search}`;
  const needed = createMongoClient(wrong, 'test');
  t.after(() => needed.close());
  const { log, lines } = keptLog();
  const signal = AbortSignal.timeout(120_000);
  const failed = connectWithRetry(needed, { log, signal, isNeeded: true });
  await assert.rejects(failed, (error: unknown) => {
    assert.ok(error instanceof ConfigError);
    assert.match(
      error.faults.join(),
      /^POSTHORN_MONGODB_URL: MongoDB rejects this user or password/,
    );
    return true;
  });
  assert.equal(lines[0]?.['level'], 'error');
  assert.equal(lines[0]['name'], 'mongodb.refused');
  assert.equal(lines[0]['code'], 'POSTHORN_MONGODB_UNAVAILABLE');
  assert.doesNotMatch(JSON.stringify(lines), /hidden/);

  const other = createMongoClient(wrong, 'test');
  t.after(() => other.close());
  const stopping = new AbortController();
  const stated = keptLog();
  const options = { log: stated.log, signal: stopping.signal, isNeeded: false };
  const goesOn = connectWithRetry(other, options);
  await waitUntil(() => stated.lines.length > 1, { what: 'two lines', deadlineMs: 30_000 });
  stopping.abort();
  await goesOn;
  assert.ok(stated.lines.every(({ level }) => level === 'error'));
});

test('the first connect names an unknown authority and a missing file', async (t) => {
  const stopped = new AbortController();
  t.after(() => stopped.abort());
  const { log, lines } = keptLog();
  const url = `mongodb://localhost/?tls=true&tlsCAFile=/no/such/file`;
  const client = createMongoClient(url, 'test');
  t.after(() => client.close());
  const failed = connectWithRetry(client, { log, signal: stopped.signal, isNeeded: true });
  await assert.rejects(failed, /POSTHORN_MONGODB_URL: the file \/no\/such\/file does not exist/);
  assert.equal(lines.length, 1);
});

test('the first connect waits for a server that is down, and logs it', async (t) => {
  const url = `mongodb://127.0.0.1:${await findFreePort()}/?directConnection=true`;
  const client = new MongoClient(url, { serverSelectionTimeoutMS: 100 });
  t.after(() => client.close());
  const stopping = new AbortController();
  const { log, lines } = keptLog();
  const done = connectWithRetry(client, { log, signal: stopping.signal, isNeeded: true });
  await waitUntil(() => lines.length > 0, { what: 'a line', deadlineMs: 30_000 });
  stopping.abort();
  await done;
  assert.equal(lines[0]?.['level'], 'warn');
  assert.equal(lines[0]['name'], 'mongodb.not_connected');
  assert.equal(lines[0]['code'], 'POSTHORN_MONGODB_UNAVAILABLE');
});

test('rejects an invalid URL with an error that names its setting, and not the password', () => {
  for (const url of ['mongodb://a:hidden@h/?nonsense=1', 'mongodb://a:hidden@', 'mongodb://h:x']) {
    assert.throws(
      () => createMongoClient(url, 'test'),
      (error: unknown) => {
        assert.ok(error instanceof ConfigError, String(error));
        assert.match(error.message, /POSTHORN_MONGODB_URL: cannot be understood/);
        assert.doesNotMatch(error.message, /hidden/);
        return true;
      },
      url,
    );
  }
});
