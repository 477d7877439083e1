/** The source of each secret value. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { passwordKey } from '#infra/nats/access/format-users.ts';
import { natsUserName, natsUsers } from '#infra/nats/access/role-permissions.ts';
import { at, conform, type Manifest, only, podTemplates } from '../manifests.ts';
import { tools, without } from '../tools.ts';
import { renderValues } from './values.ts';

const skip = without(tools.helm) || without(tools.kubeconform);

/** `<Secret>/<key>` of each file that a pod reads. */
function filesOf(manifests: Manifest[], name: string): Record<string, string> {
  const { pod } = podTemplates(manifests).find((one) => one.name === name) as { pod: object };
  const out: Record<string, string> = {};
  for (const volume of (at(pod, 'volumes') ?? []) as object[]) {
    for (const source of (at(volume, 'projected', 'sources') ?? []) as object[]) {
      for (const item of at(source, 'secret', 'items') as { key: string; path: string }[]) {
        out[item.path] = `${String(at(source, 'secret', 'name'))}/${item.key}`;
      }
    }
  }
  return out;
}

test(
  'each value comes from the Secret and the key that its reference names',
  { skip },
  async () => {
    const manifests = await renderValues({
      externalSecret: { enabled: true },
      secret: {
        references: {
          mongodbUrl: { name: 'atlas', key: 'connection.string' },
          masterKey: { key: 'main' },
        },
        extra: [{ key: 'more', setting: 'POSTHORN_MORE', roles: ['control'], name: 'other' }],
      },
    });
    await conform(manifests);
    assert.deepEqual(filesOf(manifests, 'posthorn-control'), {
      bootstrapKey: 'posthorn/bootstrapKey',
      masterKey: 'posthorn/main',
      mongodbUrl: 'atlas/connection.string',
      more: 'other/more',
      natsPassword: 'posthorn/natsPassword',
    });
    // The operator fills only the Secret of the release.
    const { spec } = only(manifests, 'ExternalSecret', 'posthorn');
    const filled = (at(spec, 'data') as object[]).map((one) => at(one, 'secretKey'));
    assert.deepEqual(
      new Set(filled),
      new Set(['bootstrapKey', 'main', 'natsAuthSeed', 'natsPassword']),
    );
  },
);

test('rejects a reference to an unknown value with its name', { skip }, async () => {
  const references = { mongodbUri: { name: 'atlas' } };
  await assert.rejects(
    renderValues({ secret: { references } }),
    /\/secret\/references.*'mongodbUri' not allowed/,
  );
});

const settingsOf = (manifests: Manifest[], name: string): Record<string, string> => {
  const { pod } = podTemplates(manifests).find((one) => one.name === name) as { pod: object };
  const env = at(pod, 'containers', 0, 'env') as { name: string; value: string }[];
  const mounts = at(pod, 'containers', 0, 'volumeMounts') as { mountPath: string }[];
  const paths = env.filter((one) => one.name.endsWith('_PATH'));
  // Each path is inside a mount.
  for (const { value } of paths) {
    assert.ok(
      mounts.some(({ mountPath }) => value.startsWith(`${mountPath}/`)),
      value,
    );
  }
  return Object.fromEntries(paths.map((one) => [one.name, one.value]));
};

test(
  'NATS and MongoDB have separate authorities, and NATS accepts any kind of login',
  { skip },
  async () => {
    const manifests = await renderValues({
      nats: {
        user: '',
        caSecret: 'nats-ca',
        credentialsSecret: 'creds',
        certificateSecret: 'client',
      },
      mongodb: { caSecret: 'mongo-ca' },
    });
    await conform(manifests);
    const nats = {
      POSTHORN_NATS_CA_PATH: '/run/secrets/nats-ca/ca.crt',
      POSTHORN_NATS_CREDENTIALS_PATH: '/run/secrets/nats-credentials/user.creds',
      POSTHORN_NATS_CERTIFICATE_PATH: '/run/secrets/nats-certificate/tls.crt',
      POSTHORN_NATS_KEY_PATH: '/run/secrets/nats-certificate/tls.key',
    };
    const mongodb = { POSTHORN_MONGODB_CA_PATH: '/run/secrets/mongodb-ca/ca.crt' };
    for (const role of ['ingress', 'control', 'migrate']) {
      assert.deepEqual(settingsOf(manifests, `posthorn-${role}`), { ...nats, ...mongodb }, role);
    }
    for (const role of ['router', 'delivery']) {
      assert.deepEqual(settingsOf(manifests, `posthorn-${role}`), nats, role);
    }
    assert.deepEqual(settingsOf(manifests, 'posthorn-probe'), {});
    const byKey = await renderValues({ nats: { user: '', nkeySecret: 'nk' } });
    assert.deepEqual(settingsOf(byKey, 'posthorn-router'), {
      POSTHORN_NATS_NKEY_PATH: '/run/secrets/nats-nkey/user.nk',
    });
  },
);

test('each role has the user and the password of its own on request', { skip }, async () => {
  const manifests = await renderValues({
    nats: { userPerRole: true },
    externalSecret: { enabled: true },
  });
  await conform(manifests);
  const filled = new Set(
    (at(only(manifests, 'ExternalSecret', 'posthorn').spec, 'data') as object[]).map((one) =>
      at(one, 'secretKey'),
    ),
  );
  for (const user of natsUsers) {
    const { pod } = podTemplates(manifests).find(({ name }) => name === `posthorn-${user}`) as {
      pod: object;
    };
    const env = at(pod, 'containers', 0, 'env') as { name: string; value: string }[];
    const value = (name: string) => env.find((one) => one.name === name)?.value;
    assert.equal(value('POSTHORN_NATS_USER'), natsUserName(user));
    const key = passwordKey(user);
    assert.equal(value('POSTHORN_NATS_PASSWORD_FILE'), `/run/secrets/posthorn/${key}`);
    assert.equal(filesOf(manifests, `posthorn-${user}`)[key], `posthorn/${key}`);
    assert.ok(filled.has(key), key);
  }
  assert.ok(!filled.has('natsPassword'));
});

test('rejects two logins to NATS with their names', { skip }, async () => {
  await assert.rejects(
    renderValues({ nats: { nkeySecret: 'nk' } }),
    /nats\.user, nats\.nkeySecret: only one of them may be set/,
  );
});
