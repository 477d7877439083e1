import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadEnvironment, loadSettings } from '#config/load.ts';
import { settingsSchema } from '#config/schema.ts';
import { ConfigError } from '#domain/errors.ts';
import { tempDir } from '#testkit/temp-dir.ts';

function faultsOf(env: Record<string, string>): string[] {
  try {
    loadSettings(env);
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    for (const fault of error.faults) assert.ok(error.message.includes(fault));
    return error.faults;
  }
  throw new Error('the settings were accepted');
}

test('an empty environment gives the frozen defaults and leaves optional settings out', () => {
  const settings = loadEnvironment({ PATH: '/bin', posthorn_lower: 'x' });
  assert.equal(settings.POSTHORN_HTTP_PORT, 8080);
  assert.equal(settings.POSTHORN_ROLES, 'ingress,router,delivery,control');
  assert.equal(settings.POSTHORN_EGRESS_ALLOW, '');
  assert.equal(settings.POSTHORN_NATS_URL, undefined);
  assert.ok(Object.isFrozen(settings));
  for (const [key, property] of Object.entries(settingsSchema.properties)) {
    const wanted = (property as { default?: unknown }).default;
    assert.equal(settings[key as keyof typeof settings], wanted, key);
  }
});

test('values are parsed by their type, and an empty one counts as absent', () => {
  const settings = loadSettings({
    POSTHORN_HTTP_PORT: '0',
    POSTHORN_SHARDS: '64',
    POSTHORN_ROLES: 'delivery,router',
    POSTHORN_MONGODB_DATABASE: '123',
    POSTHORN_EGRESS_ALLOW: '127.0.0.0/8, ::1',
    POSTHORN_LOG_LEVEL: '',
  });
  assert.equal(settings.api.port, 0);
  assert.equal(settings.streams.shards, 64);
  assert.equal(settings.mongodb.database, '123');
  assert.equal(settings.logLevel, 'info');
  assert.deepEqual(settings.roles, ['delivery', 'router']);
  assert.deepEqual(loadSettings({ POSTHORN_ROLES: 'control,control' }).roles, ['control']);
});

test('rejects several wrong settings together, each by its name', () => {
  const env = {
    POSTHORN_HTTP_PORT: '65536',
    POSTHORN_SHARDS: 'four',
    POSTHORN_ROLES: 'ingress,cook',
    POSTHORN_EVENT_TYPE_POLICY: 'lax',
    POSTHORN_NATS_URL: 'http://localhost',
    POSTHORN_EGRESS_ALLOW: '10.0.0.0/40',
    POSTHORN_HTTP_PROT: '1',
    POSTHORN_SHARDS_FILE: '/x',
    POSTHORN_BOOTSTRAP_KEY_FILE: '/there/is/no/such/file',
  };
  const faults = faultsOf(env);
  for (const key of Object.keys(env)) {
    assert.ok(
      faults.some((fault) => fault.startsWith(`${key}:`)),
      `${key} is not named in\n${faults.join('\n')}`,
    );
  }
});

const bad: [string, string, RegExp][] = [
  ['POSTHORN_HTTP_PORT', '-1', /from 0 to 65535/],
  ['POSTHORN_HTTP_PORT', '8080.5', /from 0 to 65535/],
  ['POSTHORN_HTTP_PORT', '0x50', /from 0 to 65535/],
  ['POSTHORN_SHARDS', '0', /from 1 to 64/],
  ['POSTHORN_SHARDS', '65', /from 1 to 64/],
  ['POSTHORN_ROLES', 'ingress,', /roles/],
  ['POSTHORN_MONGODB_DATABASE', 'a b', /Name of the database/],
  ['POSTHORN_MONGODB_URL', 'postgres://x', /MongoDB/],
  ['POSTHORN_MASTER_KEY', 'c2hvcnQ=', /32 bytes in base64/],
  ['POSTHORN_MASTER_KEYS_OTHER', 'c2hvcnQ=', /master keys, separated by commas/],
  ['POSTHORN_MASTER_KEYS_OTHER', `${'A'.repeat(43)}=,`, /POSTHORN_MASTER_KEYS_OTHER/],
  ['POSTHORN_BOOTSTRAP_KEY', 'short', /platform key/],
  ['POSTHORN_EGRESS_ALLOW', 'localhost', /"localhost" is not a network/],
  ['POSTHORN_EGRESS_ALLOW', '10.0.0.0/8;::1', /is not a network/],
  ['POSTHORN_OTLP_HEADERS', 'a-token-alone', /name=value,name=value/],
  ['POSTHORN_OTLP_HEADERS', 'authorization=Bearer token', /a space as `%20`/],
  ['POSTHORN_OTLP_HEADERS', 'x-team=hooks,', /collector/],
  ['POSTHORN_OTLP_HEADERS', 'x-team=%zz', /collector/],
  ['POSTHORN_OTLP_HEADERS', 'x-team=%0a', /collector/],
  ['POSTHORN_LOG_LEVEL', 'loud', /must be one of fatal, error, .*Least severe/],
];
for (const [key, value, message] of bad) {
  test(`${key}=${value} is rejected with an explanation`, () => {
    const faults = faultsOf({ [key]: value });
    assert.ok(
      faults.every((fault) => fault.startsWith(`${key}:`)),
      faults.join('\n'),
    );
    assert.match(faults.join('\n'), message);
  });
}

test('rejects an unknown setting', () => {
  assert.deepEqual(faultsOf({ POSTHORN_HTTP_PROT: '1' }), ['POSTHORN_HTTP_PROT: unknown setting']);
});

test('a secret is read from the file that _FILE names, without its trailing line feed', async (t) => {
  const file = join(await tempDir(t), 'key');
  await writeFile(file, 'a-platform-key-of-some-length\n');
  const settings = loadSettings({ POSTHORN_BOOTSTRAP_KEY_FILE: file });
  assert.equal(settings.keys.bootstrap, 'a-platform-key-of-some-length');
});

test('rejects a secret that is given both as a value and as a file', async (t) => {
  const file = join(await tempDir(t), 'key');
  await writeFile(file, 'a-platform-key-of-some-length');
  const faults = faultsOf({
    POSTHORN_BOOTSTRAP_KEY: 'another-platform-key',
    POSTHORN_BOOTSTRAP_KEY_FILE: file,
  });
  assert.equal(faults.length, 1);
  assert.match(String(faults[0]), /^POSTHORN_BOOTSTRAP_KEY_FILE: .*POSTHORN_BOOTSTRAP_KEY/);
});

test('an error text contains no secret', async (t) => {
  const file = join(await tempDir(t), 'key');
  await writeFile(file, 'not-a-master-key-but-secret');
  const faults = faultsOf({
    POSTHORN_MASTER_KEY_FILE: file,
    POSTHORN_BOOTSTRAP_KEY: 'hush',
    POSTHORN_MONGODB_URL: 'mongo://user:password@host',
  }).join('\n');
  for (const secret of ['not-a-master-key', 'hush', 'password']) {
    assert.ok(!faults.includes(secret), faults);
  }
});

test('URLs in settings are normalized like URLs of endpoints', () => {
  const settings = loadSettings({
    POSTHORN_PUBLIC_URL: 'https://Hooks.Example.:443',
    POSTHORN_PROBE_RECEIVER_URL: 'http://LOCALHOST.:8082',
  });
  assert.equal(settings.control.publicUrl, 'https://hooks.example');
  assert.equal(settings.delivery.egress.probeReceiverUrl, 'http://localhost:8082');
});

test('rejects a URL in a setting with an impossible host name with the reason', () => {
  assert.throws(
    () => loadSettings({ POSTHORN_PUBLIC_URL: 'https://hooks..example' }),
    /POSTHORN_PUBLIC_URL: has a host name with an empty label/,
  );
});

test('rejects two logins to NATS, and a client certificate without its key', () => {
  const faultsOf = (env: Record<string, string>): string[] => {
    try {
      loadSettings(env);
      return [];
    } catch (error) {
      return [...(error as ConfigError).faults];
    }
  };
  assert.deepEqual(faultsOf({ POSTHORN_NATS_NKEY_PATH: '/a' }), []);
  assert.deepEqual(faultsOf({ POSTHORN_NATS_USER: 'a', POSTHORN_NATS_NKEY_PATH: '/a' }), [
    'POSTHORN_NATS_USER, POSTHORN_NATS_NKEY_PATH: only one of them may be set',
  ]);
  assert.deepEqual(faultsOf({ POSTHORN_NATS_KEY_PATH: '/a' }), [
    'POSTHORN_NATS_CERTIFICATE_PATH, POSTHORN_NATS_KEY_PATH: must be set together',
  ]);
});

test('rejects an invalid network of a proxy', () => {
  assert.throws(
    () => loadSettings({ POSTHORN_HTTP_TRUSTED_PROXIES: '10.0.0.0/8,proxy' }),
    /POSTHORN_HTTP_TRUSTED_PROXIES: "proxy" is not a network/,
  );
});
