/** Whether a private node can pull every image that the platform runs. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parse } from 'yaml';
import { chartImages, upstreamOf, upstreams } from '../../src/chart-images.ts';
import { ACCOUNT, stacks } from '../../stack-file.ts';
import { allOf, onlyOf } from '../kit/find-resources.ts';
import { recordPlatform } from '../kit/record-platform.ts';
import { settingTable } from '../../src/setting-table.ts';

const ROOT = new URL('../../../', import.meta.url);
const valuesOf = (path: string): unknown => parse(readFileSync(new URL(path, ROOT), 'utf8'));

function at(value: unknown, path: string): unknown {
  return path
    .split('.')
    .reduce((here, key) => (here as Record<string, unknown> | undefined)?.[key], value);
}

test('the image list has every chart at its installed version', () => {
  const { nats, platform } = valuesOf('argocd/apps/values.yaml') as {
    nats: { version: string };
    platform: Record<string, { chart: string; version: string }>;
  };
  const installed = Object.values(platform).map(({ chart, version }) => [chart, version]);
  installed.push(['nats', nats.version], ['argo-cd', settingTable.argocdChartVersion.default]);
  const listed = Object.entries(chartImages).map(([chart, { version }]) => [chart, version]);
  assert.deepEqual(Object.fromEntries(listed), Object.fromEntries(installed));
});

test('a cached image is set if its chart reads it, and an unknown registry is an error', () => {
  for (const [chart, { images }] of Object.entries(chartImages)) {
    for (const { image, key, value } of images) {
      const { way } = upstreamOf(image);
      assert.equal(key === undefined, way === 'direct', `${chart}: ${image}`);
      assert.equal(value === undefined, way === 'direct', `${chart}: ${image}`);
    }
  }
  assert.throws(() => upstreamOf('registry.example.com/one/image'), /no way to pull it/);
});

/** ECR caches these without credentials; others need a secret with those of an account there. */
const CACHED_WITHOUT_LOGIN = ['registry.k8s.io', 'quay.io', 'public.ecr.aws'];

test('every cached registry is one that ECR reads without credentials', () => {
  for (const { way, url } of Object.values(upstreams)) {
    if (way === 'cache') assert.ok(CACHED_WITHOUT_LOGIN.includes(url), url);
  }
});

for (const stack of stacks) {
  const { resources } = await recordPlatform(stack, { standby: 'false' }).catch(() =>
    recordPlatform(stack),
  );
  const { region } = onlyOf(
    resources.filter(({ name }) => name !== 'recovery'),
    'providers:aws',
  ).inputs;
  const environment = stack.replace('-recovery', '');
  const cache = `${ACCOUNT}.dkr.ecr.${String(region)}.amazonaws.com/cache-posthorn-${environment}`;

  test(`${stack}: the cache has a rule for every registry that a chart pulls through it`, () => {
    const rules = allOf(resources, 'ecr/pullThroughCacheRule:PullThroughCacheRule').map(
      ({ inputs }) => [inputs['ecrRepositoryPrefix'], inputs['upstreamRegistryUrl']],
    );
    const wanted = new Map(
      Object.values(upstreams)
        .filter(({ way }) => way === 'cache')
        .map(({ prefix, url }) => [`cache-posthorn-${environment}/${prefix}`, url]),
    );
    assert.deepEqual(rules, [...wanted]);
    for (const prefix of wanted.keys()) assert.ok(prefix.length <= 30, prefix);
  });

  test(`${stack}: Argo CD and its applications take cached images from the cache`, () => {
    const release = onlyOf(resources, 'helm.sh/v3:Release').inputs['values'];
    const application = onlyOf(resources, 'argoproj.io/v1alpha1:Application').inputs['spec'];
    const platform = at(application, 'source.helm.valuesObject.platform') as Record<
      string,
      { values: unknown }
    >;
    let cached = 0;
    for (const [chart, { images }] of Object.entries(chartImages)) {
      const values = chart === 'argo-cd' ? release : platform[chart]?.values;
      for (const { image, key, value } of images) {
        const { prefix, way } = upstreamOf(image);
        if (way === 'direct') continue;
        cached += 1;
        const rest = value === 'repository' ? image.slice(image.indexOf('/')) : '';
        assert.equal(at(values, String(key)), `${cache}/${prefix}${rest}`, `${chart}: ${image}`);
      }
    }
    assert.ok(cached >= 15);
  });

  test(`${stack}: the S3 endpoint allows the bucket of ECR layers, and nodes fill the cache`, () => {
    const policies = allOf(resources, 'iam/rolePolicy:RolePolicy');
    const nodes = policies.find(({ name }) => name.endsWith('-nodes'))?.inputs['policy'];
    assert.match(String(nodes), /ecr:BatchImportUpstreamImage.*ecr:CreateRepository/);
    assert.ok(String(nodes).includes(`:repository/cache-posthorn-${environment}/*`));
    const gateway = allOf(resources, 'ec2/vpcEndpoint:VpcEndpoint').find(
      ({ inputs }) => inputs['vpcEndpointType'] === 'Gateway',
    );
    assert.ok(
      String(gateway?.inputs['policy']).includes(`prod-${String(region)}-starport-layer-bucket/*`),
    );
  });
}
