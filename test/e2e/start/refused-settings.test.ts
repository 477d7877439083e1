/**
 * docs/operations/processes.md: a setting that NATS or MongoDB refuses ends a process with the name
 * of the setting.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { before, test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { AccountKey, newAccountSeed } from '#src/ingress/auth-callout/account-key.ts';
import { startNatsServer, testMongo, type TestMongo, type TestServer } from '#testkit/servers.ts';

const MAIN = fileURLToPath(new URL('../../../src/main.ts', import.meta.url));
const access = { user: 'posthorn', password: 'right', issuer: '' };

let nats: TestServer;
let mongo: TestMongo;
before(async (context) => {
  const t = context as TestContext;
  access.issuer = new AccountKey(newAccountSeed()).publicKey;
  nats = await startNatsServer({ access });
  t.after(() => nats.dispose());
  mongo = await testMongo();
  t.after(() => mongo.dispose());
});

/** Runs roles until they end by themselves. */
function run(settings: Record<string, string>): Promise<{ code: unknown; stderr: string }> {
  const env = {
    POSTHORN_NATS_URL: nats.url,
    POSTHORN_NATS_USER: access.user,
    POSTHORN_NATS_PASSWORD: access.password,
    POSTHORN_MONGODB_URL: mongo.url,
    POSTHORN_MONGODB_DATABASE: mongo.db.databaseName,
    POSTHORN_MASTER_KEY: randomBytes(32).toString('base64'),
    POSTHORN_HTTP_PORT: '0',
    POSTHORN_OPS_PORT: '0',
    ...settings,
  };
  return new Promise((resolve) => {
    const options = { env, timeout: 90_000 };
    execFile(process.execPath, [MAIN, 'run'], options, (error, stdout, stderr) => {
      resolve({ code: error?.code, stderr: stdout + stderr });
    });
  });
}

test('rejects a wrong password of NATS with the names of its settings', async () => {
  const { code, stderr } = await run({ POSTHORN_NATS_PASSWORD: 'wrong' });
  assert.equal(code, 78, stderr);
  assert.match(
    stderr,
    /^posthorn: POSTHORN_NATS_USER, POSTHORN_NATS_PASSWORD: .*rejects this user or password$/m,
  );
  assert.match(stderr, /"code":"POSTHORN_NATS_UNAVAILABLE".*"msg":"nats.refused"/);
});

test('rejects a wrong password of MongoDB with the name of its setting', async () => {
  const { host, search } = new URL(mongo.url);
  const url = `mongodb://somebody:hidden@${host}/${search}`;
  const { code, stderr } = await run({ POSTHORN_MONGODB_URL: url });
  assert.equal(code, 78, stderr);
  assert.match(stderr, /^posthorn: POSTHORN_MONGODB_URL: .*rejects this user or password$/m);
  assert.match(stderr, /"code":"POSTHORN_MONGODB_UNAVAILABLE".*"msg":"mongodb.refused"/);
  assert.doesNotMatch(stderr, /hidden/);
});
