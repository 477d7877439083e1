import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { nkeys } from '@nats-io/nats-core';
import { ConfigError } from '#domain/errors.ts';
import { connectNats } from '#infra/nats/connection.ts';
import type { NatsLogin } from '#infra/nats/login.ts';
import type { Log } from '#infra/telemetry/log.ts';
import { tempDir } from '#testkit/temp-dir.ts';
import { makeCertificate } from '../../../kit/network/certificates.ts';
import { startTlsBroker, type TlsBroker } from './tls-broker.ts';

const { createAccount, createOperator, createUser } = nkeys;
type KeyPair = ReturnType<typeof createUser>;

const NOBODY = { user: 'nobody', password: 'none' };
const silent = { warn: () => {}, error: () => {} } as unknown as Log;

/**
 * Connects and waits for an answer of the server.
 *
 * @throws ConfigError of the login
 */
async function connects({ port }: TlsBroker, login: NatsLogin): Promise<void> {
  const nc = await connectNats(`tls://localhost:${port}`, 'test', silent, login);
  await nc.flush();
  await nc.close();
}

async function faultOf(broker: TlsBroker, login: NatsLogin): Promise<string> {
  const error = await connects(broker, login).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof ConfigError, String(error));
  return error.faults.join();
}

async function fileOf(dir: string, name: string, text: string): Promise<string> {
  const path = join(dir, name);
  await writeFile(path, text);
  return path;
}

const seedOf = (pair: KeyPair): string => Buffer.from(pair.getSeed()).toString();

/** A JWT of NATS, version 2. */
function jwtOf(subject: KeyPair, issuer: KeyPair, type: 'operator' | 'account' | 'user'): string {
  const segment = (value: object): string =>
    Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = {
    jti: `${type}-of-a-test`,
    iat: 1_700_000_000,
    iss: issuer.getPublicKey(),
    name: type,
    sub: subject.getPublicKey(),
    nats: {
      type,
      version: 2,
      ...(type === 'account' && { limits: { conn: -1, subs: -1, data: -1, payload: -1 } }),
    },
  };
  const signed = `${segment({ typ: 'JWT', alg: 'ed25519-nkey' })}.${segment(claims)}`;
  const signature = Buffer.from(issuer.sign(Buffer.from(signed))).toString('base64url');
  return `${signed}.${signature}`;
}

test('a login by an NKey trusts the authority of its own file', async (t) => {
  const dir = await tempDir(t);
  const user = createUser();
  const access = `authorization { timeout: 30, users: [ { nkey: ${user.getPublicKey()} } ] }`;
  const broker = await startTlsBroker(t, NOBODY, 'localhost', { access });
  const caPath = await fileOf(dir, 'ca.pem', broker.authority);
  const nkeyPath = await fileOf(dir, 'user.nk', `${seedOf(user)}\n`);
  await connects(broker, { caPath, nkeyPath });
  const other = await fileOf(dir, 'other.nk', seedOf(createUser()));
  assert.match(
    await faultOf(broker, { caPath, nkeyPath: other }),
    /^POSTHORN_NATS_NKEY_PATH: NATS does not accept/,
  );
  assert.match(await faultOf(broker, { nkeyPath }), /^POSTHORN_NATS_URL: .*POSTHORN_NATS_CA_PATH/);
});

test('a login by a credentials file sends its JWT', async (t) => {
  const dir = await tempDir(t);
  const [operator, account, user] = [createOperator(), createAccount(), createUser()];
  const access = `operator: ${jwtOf(operator, operator, 'operator')}
resolver: MEMORY
resolver_preload: { ${account.getPublicKey()}: ${jwtOf(account, operator, 'account')} }
`;
  const broker = await startTlsBroker(t, NOBODY, 'localhost', { access });
  const caPath = await fileOf(dir, 'ca.pem', broker.authority);
  const credentials = (jwt: string): string =>
    `-----BEGIN NATS USER JWT-----
${jwt}
------END NATS USER JWT------

-----BEGIN USER NKEY SEED-----
${seedOf(user)}
------END USER NKEY SEED------
`;
  const credentialsPath = await fileOf(
    dir,
    'user.creds',
    credentials(jwtOf(user, account, 'user')),
  );
  await connects(broker, { caPath, credentialsPath });
  await writeFile(credentialsPath, credentials(jwtOf(user, createAccount(), 'user')));
  assert.match(
    await faultOf(broker, { caPath, credentialsPath }),
    /^POSTHORN_NATS_CREDENTIALS_PATH: /,
  );
});

test('rejects a file that is no seed and no credentials with the name of its setting', async (t) => {
  const broker = await startTlsBroker(t, NOBODY);
  const path = await fileOf(await tempDir(t), 'text', 'no seed');
  const settings = [
    ['nkeyPath', 'POSTHORN_NATS_NKEY_PATH'],
    ['credentialsPath', 'POSTHORN_NATS_CREDENTIALS_PATH'],
  ] as const;
  for (const [key, setting] of settings) {
    assert.match(await faultOf(broker, { [key]: path }), new RegExp(`^${setting}: is not valid`));
  }
});

test('a client certificate is presented', async (t) => {
  const dir = await tempDir(t);
  const clients = makeCertificate({ commonName: 'clients' });
  const clientsPath = await fileOf(dir, 'clients.pem', clients.cert);
  const tls = `verify: true, ca_file: "${clientsPath}"`;
  const broker = await startTlsBroker(t, NOBODY, 'localhost', { tls, access: '' });
  const own = makeCertificate({ commonName: 'posthorn', issuer: clients });
  const caPath = await fileOf(dir, 'ca.pem', broker.authority);
  const certificatePath = await fileOf(dir, 'cert.pem', own.cert);
  const keyPath = await fileOf(dir, 'key.pem', own.key);
  await connects(broker, { caPath, certificatePath, keyPath });
});

test('rejects a file that cannot be read with the name of its setting', async (t) => {
  const broker = await startTlsBroker(t, NOBODY);
  const missing = join(await tempDir(t), 'missing');
  for (const [key, setting] of [
    ['caPath', 'POSTHORN_NATS_CA_PATH'],
    ['certificatePath', 'POSTHORN_NATS_CERTIFICATE_PATH'],
    ['keyPath', 'POSTHORN_NATS_KEY_PATH'],
    ['credentialsPath', 'POSTHORN_NATS_CREDENTIALS_PATH'],
    ['nkeyPath', 'POSTHORN_NATS_NKEY_PATH'],
  ] as const) {
    const fault = await faultOf(broker, { [key]: missing });
    assert.match(fault, new RegExp(`^${setting}: cannot be read .*missing`));
  }
});
