/** Where each secret value comes from. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { at, conform, type Manifest, only, podTemplates } from '../manifests.ts';
import { tools, without } from '../tools.ts';
import { renderValues } from './values.ts';

const skip = without(tools.helm) || without(tools.kubeconform);

/** `<Secret>/<key>` for each file that a pod reads. */
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

test('each value comes from the Secret and the key that it refers to', { skip }, async () => {
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
});

test('rejects a reference to an unknown value with its name', { skip }, async () => {
  const references = { mongodbUri: { name: 'atlas' } };
  await assert.rejects(
    renderValues({ secret: { references } }),
    /\/secret\/references.*'mongodbUri' not allowed/,
  );
});
