/** The entry points for clients: Services, Ingresses and routes of the Gateway API. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { at, conform, type Manifest, only } from '../../manifests.ts';
import { tools, without } from '../../tools.ts';
import { renderValues } from '../values.ts';

const skip = without(tools.helm) || without(tools.kubeconform);
const hosts = { publishHost: 'in.example.com', apiHost: 'api.example.com' };

function publicUrls(manifests: Manifest[]): unknown[] {
  return ['ingress', 'router', 'delivery', 'control'].map((role) => {
    const { spec } = only(manifests, 'Deployment', `posthorn-${role}`);
    const env = at(spec, 'template', 'spec', 'containers', 0, 'env') as { name: string }[];
    return at(
      env.find(({ name }) => name === 'POSTHORN_PUBLIC_URL'),
      'value',
    );
  });
}

test('publishing is public while the API is internal', { skip }, async () => {
  const manifests = await renderValues({
    ingress: {
      enabled: true,
      ...hosts,
      className: 'public',
      annotations: { 'a.example/b': 'common' },
      tlsSecret: 'common-tls',
      api: { className: 'internal', annotations: { 'c.example/d': 'api' }, tlsSecret: 'api-tls' },
    },
  });
  await conform(manifests);
  const publish = only(manifests, 'Ingress', 'posthorn-publish');
  const api = only(manifests, 'Ingress', 'posthorn-api');
  assert.equal(at(publish.spec, 'ingressClassName'), 'public');
  assert.equal(at(api.spec, 'ingressClassName'), 'internal');
  assert.deepEqual(publish.metadata.annotations, { 'a.example/b': 'common' });
  assert.deepEqual(api.metadata.annotations, { 'a.example/b': 'common', 'c.example/d': 'api' });
  assert.deepEqual(at(publish.spec, 'tls'), [
    { hosts: ['in.example.com'], secretName: 'common-tls' },
  ]);
  assert.deepEqual(at(api.spec, 'tls'), [{ hosts: ['api.example.com'], secretName: 'api-tls' }]);
  const backends = (manifest: Manifest): unknown[] =>
    (at(manifest.spec, 'rules', 0, 'http', 'paths') as object[]).map((path) => [
      at(path, 'path'),
      at(path, 'backend', 'service', 'name'),
    ]);
  // Receivers follow links to payloads.
  assert.deepEqual(backends(publish), [
    ['/v1/payloads/', 'posthorn-control'],
    ['/', 'posthorn-ingress'],
  ]);
  assert.deepEqual(backends(api), [['/', 'posthorn-control']]);
});

test('the host of the API comes from the public URL by default', { skip }, async () => {
  const url = 'https://api.example.com';
  const expected = [url, undefined, url, url];
  const ingress = { enabled: true, ...hosts };
  assert.deepEqual(publicUrls(await renderValues({ ingress })).slice(1), expected.slice(1));
  const gateway = { ...ingress, parentRefs: [{ name: 'public' }] };
  assert.deepEqual(publicUrls(await renderValues({ gateway })).slice(1), expected.slice(1));
  const settings = { POSTHORN_PUBLIC_URL: 'https://other.example.com' };
  for (const one of publicUrls(await renderValues({ ingress, settings }))) {
    assert.equal(one, settings.POSTHORN_PUBLIC_URL);
  }
  for (const one of publicUrls(await renderValues({}))) assert.equal(one, undefined);
  const withoutApi = { ingress: { ...ingress, api: { enabled: false } } };
  for (const one of publicUrls(await renderValues(withoutApi))) assert.equal(one, undefined);
});

test(
  'the chart creates routes of the Gateway API instead of Ingresses on request',
  { skip },
  async () => {
    const manifests = await renderValues({
      gateway: {
        enabled: true,
        ...hosts,
        parentRefs: [{ name: 'public', namespace: 'gateways' }],
        api: { parentRefs: [{ name: 'internal' }] },
      },
    });
    await conform(manifests);
    const publish = only(manifests, 'HTTPRoute', 'posthorn-publish').spec;
    const api = only(manifests, 'HTTPRoute', 'posthorn-api').spec;
    assert.deepEqual(at(publish, 'parentRefs'), [{ name: 'public', namespace: 'gateways' }]);
    assert.deepEqual(at(api, 'parentRefs'), [{ name: 'internal' }]);
    assert.deepEqual(at(publish, 'hostnames'), ['in.example.com']);
    for (const [spec, rule, name] of [
      [publish, 0, 'posthorn-control'],
      [publish, 1, 'posthorn-ingress'],
      [api, 0, 'posthorn-control'],
    ] as const) {
      const [backend] = at(spec, 'rules', rule, 'backendRefs') as { name: string; port: number }[];
      assert.equal(backend?.name, name);
      const ports = at(only(manifests, 'Service', name).spec, 'ports') as { port: number }[];
      assert.ok(ports.some(({ port }) => port === backend?.port));
    }
  },
);

test('a Service for clients outside has no private port', { skip }, async () => {
  const annotations = { 'service.beta.kubernetes.io/aws-load-balancer-type': 'external' };
  const manifests = await renderValues({
    roles: {
      ingress: {
        service: {
          type: 'LoadBalancer',
          port: 443,
          annotations,
          loadBalancerSourceRanges: ['10.0.0.0/8'],
        },
      },
      control: { service: { annotations: { 'a.example/b': 'c' } } },
    },
  });
  await conform(manifests);
  const external = only(manifests, 'Service', 'posthorn-ingress-external');
  assert.equal(at(external.spec, 'type'), 'LoadBalancer');
  assert.deepEqual(external.metadata.annotations, annotations);
  assert.deepEqual(at(external.spec, 'ports'), [{ name: 'http', port: 443, targetPort: 'http' }]);
  assert.deepEqual(at(external.spec, 'loadBalancerSourceRanges'), ['10.0.0.0/8']);
  // Prometheus and the probe keep using the Service of the cluster, and each target is scraped
  // once.
  assert.equal(external.metadata.labels?.['posthorn/metrics'], undefined);
  assert.equal(at(only(manifests, 'Service', 'posthorn-ingress').spec, 'type'), undefined);
  const control = only(manifests, 'Service', 'posthorn-control');
  assert.deepEqual(control.metadata.annotations, { 'a.example/b': 'c' });
});

const refused: [values: object, named: RegExp][] = [
  [{ ingress: { enabled: true, apiHost: 'a.b' } }, /ingress\.publishHost: is required/],
  [
    { ingress: { enabled: true, publishHost: 'a.b', apiHost: 'a.b' } },
    /ingress\.publishHost and ingress\.apiHost: must be two/,
  ],
  [{ gateway: { enabled: true, ...hosts } }, /gateway\.parentRefs: is required/],
  [
    { ingress: { enabled: true, ...hosts }, gateway: { enabled: true } },
    /ingress\.enabled and gateway\.enabled: only one/,
  ],
  [{ ingress: { api: { host: 'a.b' } } }, /\/ingress\/api.*'host' not allowed/],
  [
    { roles: { control: { service: { type: 'ExternalName' } } } },
    /\/roles\/control\/service\/type/,
  ],
];
for (const [values, error] of refused) {
  test(`rejects ${JSON.stringify(values)} with its place`, { skip }, async () => {
    await assert.rejects(renderValues(values), error);
  });
}
