/**
 * docs/operations/processes.md: a setting that NATS or MongoDB refuses ends a process with the name
 * of the setting.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { AccountKey, newAccountSeed } from '#src/ingress/auth-callout/account-key.ts';
import { makeCertificate } from '#testkit/network/certificates.ts';
import { startNatsServer, testMongo, type TestMongo, type TestServer } from '#testkit/servers.ts';
import { tempDir } from '#testkit/temp-dir.ts';

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

/** Runs a command, or the role probe, until it ends by itself. */
function run(
  settings: Record<string, string>,
  what: 'run' | 'start' | 'probe' = 'run',
): Promise<{ code: unknown; stderr: string }> {
  const args = what === 'probe' ? ['run', '--roles', 'probe'] : [what];
  const env = {
    POSTHORN_NATS_URL: nats.url,
    POSTHORN_NATS_USER: access.user,
    POSTHORN_NATS_PASSWORD: access.password,
    POSTHORN_MONGODB_URL: mongo.url,
    POSTHORN_MONGODB_DATABASE: mongo.db.databaseName,
    POSTHORN_MASTER_KEY: randomBytes(32).toString('base64'),
    POSTHORN_HTTP_PORT: '0',
    POSTHORN_OPS_PORT: '0',
    POSTHORN_RECEIVER_PORT: '0',
    ...settings,
  };
  return new Promise((resolve) => {
    const options = { env, timeout: 90_000 };
    execFile(process.execPath, [MAIN, ...args], options, (error, stdout, stderr) => {
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

test('rejects a key that is not that of the certificate with the names of both settings', async (t) => {
  const dir = await tempDir(t);
  const [certificatePath, keyPath] = [join(dir, 'tls.crt'), join(dir, 'tls.key')];
  await writeFile(certificatePath, makeCertificate().cert);
  await writeFile(keyPath, makeCertificate().key);
  const paths = {
    POSTHORN_HTTP_CERTIFICATE_PATH: certificatePath,
    POSTHORN_HTTP_KEY_PATH: keyPath,
  };
  const { code, stderr } = await run(paths);
  assert.equal(code, 78, stderr);
  assert.match(
    stderr,
    /^posthorn: POSTHORN_HTTP_KEY_PATH: must be the key of .*POSTHORN_HTTP_CERTIFICATE_PATH$/m,
  );
  const probe = await run(paths, 'probe');
  assert.equal(probe.code, 78, probe.stderr);
  const alone = await run({ POSTHORN_HTTP_CERTIFICATE_PATH: certificatePath });
  assert.equal(alone.code, 78, alone.stderr);
  assert.match(alone.stderr, /POSTHORN_HTTP_KEY_PATH: must be set together/);
});

test('rejects a certificate for the command start with the names of its settings', async (t) => {
  const dir = await tempDir(t);
  const started = await run(
    { POSTHORN_HTTP_CERTIFICATE_PATH: 'a', POSTHORN_HTTP_KEY_PATH: 'b', POSTHORN_DATA_DIR: dir },
    'start',
  );
  assert.equal(started.code, 78, started.stderr);
  assert.match(started.stderr, /POSTHORN_HTTP_KEY_PATH: are for the command run/);
});

test('rejects an unreadable authority of the probe with the name of its setting', async () => {
  const probe = await run({ POSTHORN_PROBE_CA_PATH: '/nowhere/ca.crt' }, 'probe');
  assert.equal(probe.code, 78, probe.stderr);
  assert.match(probe.stderr, /POSTHORN_PROBE_CA_PATH: cannot be read/);
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
