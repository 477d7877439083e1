/** TLS of the pods: every client of a port uses it, and verifies a name of the certificate. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { environments, foundationOf, posthornOf } from '../../argocd/environments.ts';
import { at, conform, type Manifest, only, podTemplates } from '../../manifests.ts';
import { tools, without } from '../../tools.ts';
import { renderValues } from '../values.ts';

const skip = without(tools.helm) || without(tools.kubeconform);
const SECURE = { tls: { secret: 'posthorn-tls' } };
const HOSTS = { publishHost: 'in.example.com', apiHost: 'api.example.com' };
const SERVING = ['ingress', 'router', 'delivery', 'control', 'probe'];

const envOf = (pod: unknown): Record<string, string> =>
  Object.fromEntries(
    (at(pod, 'containers', 0, 'env') as { name: string; value: string }[]).map((one) => [
      one.name,
      one.value,
    ]),
  );

/** The files of the volume `tls` of a pod. */
function filesOf(pod: unknown): unknown {
  const volume = (at(pod, 'volumes') as object[]).find((one) => at(one, 'name') === 'tls');
  const items = (at(volume, 'secret', 'items') ?? []) as { key: string }[];
  return { secret: at(volume, 'secret', 'secretName'), keys: items.map(({ key }) => key) };
}

const podOf = (manifests: Manifest[], role: string): object =>
  (podTemplates(manifests).find(({ name }) => name === `posthorn-${role}`) as { pod: object }).pod;

test(
  'every process that serves has the certificate, and the probe its authority',
  { skip },
  async () => {
    const manifests = await renderValues(SECURE);
    await conform(manifests);
    for (const role of SERVING) {
      const pod = podOf(manifests, role);
      const env = envOf(pod);
      assert.equal(env['POSTHORN_HTTP_CERTIFICATE_PATH'], '/run/secrets/tls/tls.crt', role);
      assert.equal(env['POSTHORN_HTTP_KEY_PATH'], '/run/secrets/tls/tls.key', role);
      const keys = [...(role === 'probe' ? ['ca.crt'] : []), 'tls.crt', 'tls.key'];
      assert.deepEqual(filesOf(pod), { secret: 'posthorn-tls', keys }, role);
      for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe']) {
        assert.equal(at(pod, 'containers', 0, probe, 'httpGet', 'scheme'), 'HTTPS', role);
      }
    }
    assert.equal(
      envOf(podOf(manifests, 'probe'))['POSTHORN_PROBE_CA_PATH'],
      '/run/secrets/tls/ca.crt',
    );
    assert.equal(envOf(podOf(manifests, 'migrate'))['POSTHORN_HTTP_KEY_PATH'], undefined);
    const tested = only(manifests, 'Pod', 'posthorn-test').spec;
    assert.deepEqual(filesOf(tested), { secret: 'posthorn-tls', keys: ['ca.crt'] });
    assert.equal(envOf(tested)['NODE_EXTRA_CA_CERTS'], '/run/secrets/tls/ca.crt');
  },
);

test('plain HTTP is the default', { skip }, async () => {
  const manifests = await renderValues({});
  assert.doesNotMatch(JSON.stringify(manifests), /"https"|HTTPS|HTTP_CERTIFICATE/);
});

/** Each port that a NetworkPolicy, a Service or a route names. */
test('policies, Services and Ingresses name ports that the pods have', { skip }, async () => {
  for (const secure of [SECURE, {}]) {
    const manifests = await renderValues({
      ...secure,
      ingress: { enabled: true, ...HOSTS },
      network: { clientCidrs: ['10.0.0.0/16'] },
      roles: { ingress: { service: { type: 'LoadBalancer' } } },
    });
    const ofPods = new Set(
      podTemplates(manifests).flatMap(({ pod }) =>
        ((at(pod, 'containers', 0, 'ports') ?? []) as { name: string }[]).map(({ name }) => name),
      ),
    );
    const scheme = 'tls' in secure ? 'https' : 'http';
    assert.deepEqual(ofPods, new Set([scheme, 'ops', 'probe']));
    for (const { kind, metadata, spec } of manifests) {
      if (kind === 'Service') {
        for (const port of at(spec, 'ports') as {
          name: string;
          port: number;
          targetPort: string;
        }[]) {
          assert.ok(ofPods.has(port.targetPort), metadata.name);
          if (port.name === scheme) assert.equal(port.port, 'tls' in secure ? 443 : 80);
        }
      }
      if (kind === 'NetworkPolicy') {
        const rules = ((at(spec, 'ingress') ?? []) as object[]).flatMap(
          (rule) => at(rule, 'ports') as { port: string }[],
        );
        for (const { port } of rules) assert.ok(ofPods.has(port), `${metadata.name}: ${port}`);
      }
      if (kind === 'Ingress') {
        for (const path of at(spec, 'rules', 0, 'http', 'paths') as object[]) {
          const name = at(path, 'backend', 'service', 'name') as string;
          const ports = at(only(manifests, 'Service', name).spec, 'ports') as { name: string }[];
          const wanted = at(path, 'backend', 'service', 'port', 'name');
          assert.ok(ports.some((one) => one.name === wanted));
        }
      }
    }
  }
});

test('Prometheus verifies the pods, and a gateway too', { skip }, async () => {
  const gateway = { enabled: true, ...HOSTS, parentRefs: [{ name: 'public' }] };
  const manifests = await renderValues({ ...SECURE, gateway });
  await conform(manifests);
  const [endpoint] = at(
    only(manifests, 'ServiceMonitor', 'posthorn').spec,
    'endpoints',
  ) as object[];
  assert.equal(at(endpoint, 'scheme'), 'https');
  assert.deepEqual(at(endpoint, 'tlsConfig'), {
    ca: { secret: { name: 'posthorn-tls', key: 'ca.crt' } },
    serverName: 'posthorn-ingress',
  });
  const policies = manifests.filter(({ kind }) => kind === 'BackendTLSPolicy');
  const secured = policies.map(({ spec }) => at(spec, 'targetRefs', 0, 'name'));
  const used = manifests
    .filter(({ kind }) => kind === 'HTTPRoute')
    .flatMap(({ spec }) => at(spec, 'rules') as object[])
    .map((rule) => at(rule, 'backendRefs', 0));
  assert.deepEqual(new Set(secured), new Set(used.map((one) => at(one, 'name'))));
  assert.deepEqual(new Set(used.map((one) => at(one, 'port'))), new Set([443]));
  for (const { spec } of policies) {
    assert.equal(at(spec, 'validation', 'hostname'), at(spec, 'targetRefs', 0, 'name'));
    assert.deepEqual(at(spec, 'validation', 'caCertificateRefs'), [
      { group: '', kind: 'Secret', name: 'posthorn-tls' },
    ]);
  }
});

for (const environment of environments) {
  test(
    `${environment}: the certificate has each name that a client verifies`,
    { skip },
    async () => {
      const foundation = await foundationOf(environment);
      const certificate = only(foundation, 'Certificate', 'posthorn-tls');
      const manifests = await posthornOf(environment);
      const names = at(certificate.spec, 'dnsNames') as string[];
      const secret = at(certificate.spec, 'secretName');
      for (const role of SERVING) {
        assert.equal(at(filesOf(podOf(manifests, role)), 'secret'), secret, role);
      }
      const services = manifests.filter(({ kind }) => kind === 'Service');
      for (const { metadata } of services) {
        const inCluster = `${metadata.name}.${certificate.metadata.namespace}.svc`;
        for (const name of [metadata.name, inCluster, `${inCluster}.cluster.local`]) {
          assert.ok(names.includes(name), name);
        }
      }
      const probe = envOf(podOf(manifests, 'probe'));
      const tested = envOf(only(manifests, 'Pod', 'posthorn-test').spec);
      for (const [variable, url] of Object.entries({ ...probe, ...tested })) {
        if (!/(INGRESS|CONTROL)_URL$/.test(variable)) continue;
        assert.equal(new URL(url).protocol, 'https:', variable);
        assert.ok(names.includes(new URL(url).hostname), url);
      }
      const [endpoint] = at(
        only(manifests, 'ServiceMonitor', 'posthorn').spec,
        'endpoints',
      ) as object[];
      assert.ok(names.includes(at(endpoint, 'tlsConfig', 'serverName') as string));
      assert.equal(at(endpoint, 'tlsConfig', 'ca', 'secret', 'name'), secret);
      const balancers = manifests.filter(({ kind }) => kind === 'Ingress');
      assert.equal(balancers.length, 2);
      for (const { metadata } of balancers) {
        for (const part of ['backend-protocol', 'healthcheck-protocol']) {
          assert.equal(metadata.annotations?.[`alb.ingress.kubernetes.io/${part}`], 'HTTPS');
        }
      }
    },
  );
}

test('rejects an unknown kind of authority with its place', { skip }, async () => {
  const gateway = { ca: { kind: 'File' } };
  await assert.rejects(renderValues({ gateway }), /\/gateway\/ca\/kind/);
});
