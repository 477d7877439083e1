/** The name of the image, and the credentials to pull it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { at, podTemplates } from '../manifests.ts';
import { tools, without } from '../tools.ts';
import { renderValues } from './values.ts';

const skip = without(tools.helm);

async function imagesOf(values: object): Promise<string[]> {
  const templates = podTemplates(await renderValues(values));
  return [...new Set(templates.map(({ pod }) => at(pod, 'containers', 0, 'image') as string))];
}

test('a registry replaces that of the repository in every pod', { skip }, async () => {
  const proxy = '123456789012.dkr.ecr.eu-central-1.amazonaws.com/ghcr';
  const cases: [image: object, expected: string][] = [
    [{}, 'ghcr.io/posthorn/posthorn:abc'],
    [{ registry: 'mirror:5000' }, 'mirror:5000/posthorn/posthorn:abc'],
    [{ registry: `${proxy}/` }, `${proxy}/posthorn/posthorn:abc`],
    [{ repository: 'acme/hooks', registry: 'r.example' }, 'r.example/acme/hooks:abc'],
    [{ repository: 'localhost/hooks', registry: 'r.example' }, 'r.example/hooks:abc'],
    [{ repository: 'posthorn', registry: 'r.example' }, 'r.example/posthorn:abc'],
  ];
  for (const [image, expected] of cases) {
    assert.deepEqual(await imagesOf({ image }), [expected], JSON.stringify(image));
  }
  const global = { imageRegistry: 'global.example' };
  const images = await imagesOf({ global, image: { registry: 'own.example' } });
  assert.deepEqual(images, ['global.example/posthorn/posthorn:abc']);
});

test('rejects an image name with capitals and names the right one', { skip }, async () => {
  await assert.rejects(
    renderValues({ image: { repository: 'ghcr.io/Acme/Posthorn' } }),
    /image\.repository: must be in lower case: ghcr\.io\/acme\/posthorn/,
  );
});

test('every pod has the pull secrets', { skip }, async () => {
  const pullSecrets = [{ name: 'one' }, { name: 'two' }];
  const templates = podTemplates(await renderValues({ image: { pullSecrets } }));
  for (const { name, pod } of templates) {
    assert.deepEqual(at(pod, 'imagePullSecrets'), pullSecrets, name);
  }
});
