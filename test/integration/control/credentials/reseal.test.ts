import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { loadSettings } from '#config/load.ts';
import type { Settings } from '#config/sections.ts';
import { systemClock } from '#infra/system-clock.ts';
import { ConfigError } from '#domain/errors.ts';
import { SecretBox } from '#infra/crypto/secret-box.ts';
import { configurationOf } from '#infra/mongo/configuration.ts';
import { createLog } from '#infra/telemetry/log.ts';
import { reseal } from '#src/app/reseal.ts';
import { createChangeTurns } from '#src/control/config-sync/change-turns.ts';
import { resealEndpoints } from '#src/control/credentials/reseal-endpoints.ts';
import type { TenantSnapshot } from '#wire/config-snapshot.ts';
import { openCredentials } from '#wire/sealed-credentials.ts';
import { type ControlPlane, configValue, startControlPlane } from '../control-plane.ts';

const ROOT = new URL('../../../../', import.meta.url);
const log = createLog('silent');
const newKey = (): string => randomBytes(32).toString('base64');
const firstKey = newKey();
const key = newKey();

let plane: ControlPlane;
before(async (t) => {
  plane = await startControlPlane(t as never, { masterKey: firstKey });
});

function environmentWith(master: string, ...others: string[]): Record<string, string> {
  return {
    POSTHORN_NATS_URL: plane.nats.url,
    POSTHORN_MONGODB_URL: plane.mongoUrl,
    POSTHORN_MONGODB_DATABASE: plane.db.databaseName,
    POSTHORN_MASTER_KEY: master,
    ...(others.length === 0 ? {} : { POSTHORN_MASTER_KEYS_OTHER: others.join(',') }),
  };
}

function settingsWith(master: string, ...others: string[]): Settings {
  return loadSettings(environmentWith(master, ...others));
}

async function makeEndpoint(tenant: string, n: number) {
  const body = {
    url: `https://hooks.example.com/${n}`,
    headers: { 'x-shop': `number ${n}` },
    credentials: { type: 'bearer', token: `token-${n}` },
  };
  const made = await plane.call('POST', `/v1/tenants/${tenant}/endpoints`, body);
  assert.equal(made.status, 201, made.text);
  return made.body as { id: string; secret: string };
}

/** Opens with one key alone what the data plane was given. */
async function assertOpens(tenant: string, made: { id: string; secret: string }[], by: string) {
  const box = new SecretBox(by);
  const opens = (text: string, context: string): string => box.open(text, context);
  const fits = ({ endpoints }: TenantSnapshot): boolean =>
    endpoints.every(({ secrets }) => secrets.every(({ sealed }) => box.isCurrent(sealed)));
  const snapshot = await configValue<TenantSnapshot>(plane.kv, `tenant.${tenant}`, fits);
  for (const { id, secret } of made) {
    const endpoint = snapshot.endpoints.find((one) => one.id === id);
    assert.ok(endpoint);
    assert.deepEqual(
      endpoint.secrets.map(({ sealed }) => box.open(sealed, id)),
      [secret],
    );
    const { sealedHeaders = '', sealedCredentials = '' } = endpoint;
    const headers = openCredentials(opens, 'headers', id, sealedHeaders);
    assert.match(headers['x-shop'] ?? '', /^number \d$/);
    assert.equal(openCredentials(opens, 'credentials', id, sealedCredentials).type, 'bearer');
  }
}

function withoutSecrets(page: { data: Record<string, unknown>[] }): unknown {
  return page.data.map((endpoint) => ({ ...endpoint, signing_secrets: undefined }));
}

test('reseal moves all secrets to the new key, resumes after a crash, and changes nothing when repeated', async () => {
  const made = new Map<string, { id: string; secret: string }[]>();
  for (const tenant of ['one', 'two', 'three']) {
    await plane.call('PUT', `/v1/tenants/${tenant}`, {});
    made.set(tenant, [await makeEndpoint(tenant, 1), await makeEndpoint(tenant, 2)]);
  }
  const before = await plane.call('GET', '/v1/tenants/one/endpoints');

  // Ended after the first tenant, before anything was published.
  const secretBox = new SecretBox(key, [firstKey]);
  let first: string | undefined;
  const ended = {
    isCurrent: (sealed: string) => secretBox.isCurrent(sealed),
    reseal(sealed: string, context: string) {
      // A transaction that conflicts with another change runs again: do not count calls.
      const of = [...made].find(([, all]) => all.some(({ id }) => context.includes(id)));
      first ??= of?.[0];
      if (of?.[0] !== first) throw new Error('ended');
      return secretBox.reseal(sealed, context);
    },
  };
  const configuration = configurationOf(plane.db);
  const turns = createChangeTurns(configuration, systemClock);
  const deps = { mongo: plane.mongo, configuration, turns, clock: systemClock };
  const { endpoints, failed } = await resealEndpoints({ ...deps, secretBox: ended });
  assert.deepEqual([endpoints, failed], [2, 4]);

  assert.equal(await reseal(settingsWith(key, firstKey), log), 4);
  for (const [tenant, of] of made) await assertOpens(tenant, of, key);
  assert.equal(await reseal(settingsWith(key), log), 0);
  const after = await plane.call('GET', '/v1/tenants/one/endpoints');
  // This control process lacks the new key, so it cannot derive the algorithm from the secret.
  assert.deepEqual(withoutSecrets(after.body), withoutSecrets(before.body));
});

test('the bucket follows MongoDB when no other process updates it', async () => {
  await plane.call('PUT', '/v1/tenants/alone', {});
  const made = [await makeEndpoint('alone', 1)];
  await assertOpens('alone', made, firstKey);
  await plane.control.service.stop(5000);
  assert.ok((await reseal(settingsWith(key, firstKey), log)) >= 1);
  await assertOpens('alone', made, key);
});

test('the documented command reseals the secrets', async () => {
  const page = await readFile(new URL('docs/operations/secrets.md', ROOT), 'utf8');
  const [, command = ''] = /```sh reseal\n\s*([\s\S]*?)\n\s*```/.exec(page) ?? [];
  assert.match(command, /^node src\/main\.ts reseal$/);
  const next = newKey();
  const env = {
    PATH: `${dirname(process.execPath)}:${process.env['PATH']}`,
    ...environmentWith(next, key, firstKey),
  };
  const run = () =>
    promisify(execFile)('bash', ['-euc', command], { cwd: fileURLToPath(ROOT), env });
  assert.match((await run()).stdout, /endpoints sealed under the master key: 7\n/);
  assert.match((await run()).stdout, /endpoints sealed under the master key: 0\n/);
  const missing = { ...env, POSTHORN_MASTER_KEY: newKey() };
  const failed = promisify(execFile)('bash', ['-euc', command], {
    cwd: fileURLToPath(ROOT),
    env: missing,
  });
  await assert.rejects(failed, {
    code: 78,
    stderr: /POSTHORN_MASTER_KEYS_OTHER: a key is missing/,
  });
});

test('a missing key is reported with its setting, and all other secrets are resealed', async () => {
  await plane.call('PUT', '/v1/tenants/lost', {});
  const { id } = await makeEndpoint('lost', 1);
  const strange = newKey();
  await assert.rejects(reseal(settingsWith(strange, newKey()), log), (error: unknown) => {
    assert.ok(error instanceof ConfigError, String(error));
    assert.match(
      error.faults[0] ?? '',
      /^POSTHORN_MASTER_KEYS_OTHER: a key is missing; \d+ endpoint/,
    );
    assert.match(error.faults.join('\n'), new RegExp(`${id}: .*master key`));
    return true;
  });
  await assert.rejects(
    reseal(loadSettings({ POSTHORN_NATS_URL: plane.nats.url }), log),
    /POSTHORN_MONGODB_URL: is required for reseal\s+POSTHORN_MASTER_KEY: is required/,
  );
});
