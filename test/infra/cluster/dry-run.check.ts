/**
 * Sends every object of charts/ and argocd/ to the API server. It rejects faults that no schema
 * finds: fields that contradict each other, keys of lists, pods that are not restricted. It also
 * warns of deprecated fields.
 */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { tempDir } from '#testkit/temp-dir.ts';
import {
  applicationsOf,
  environments,
  foundationOf,
  posthornOf,
  rootOf,
} from '../argocd/environments.ts';
import { blocksOf, commandsOf, section } from '../guide.ts';
import { helm, type Manifest, only, parseManifests, render } from '../manifests.ts';
import { tools, without } from '../tools.ts';
import { type ApiServer, startApiServer } from './api-server.ts';
import { operatorKinds } from './cluster-files.ts';
import { clusterTools, withoutCluster } from './cluster-tools.ts';

const skip = without(tools.helm) || withoutCluster(clusterTools.etcd, clusterTools.apiServer);

let server: ApiServer;

before(async () => {
  if (skip !== false) return;
  server = await startApiServer(operatorKinds);
  const namespaces = (await foundationOf('prod')).filter(({ kind }) => kind === 'Namespace');
  const others = ['argocd', 'cert-manager', 'mongodb'].map((name) => ({
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name },
  }));
  for (const namespace of [...namespaces, ...others]) await server.api.apply(namespace);
  // Its controller does not run; a pod without an account of its own needs it.
  const metadata = { name: 'default', namespace: 'posthorn' };
  await server.api.apply({ apiVersion: 'v1', kind: 'ServiceAccount', metadata });
});
after(() => server?.stop());

/** Returns the errors and warnings of the server for each object. */
async function stated(manifests: Manifest[], namespace: string): Promise<string[]> {
  const out: string[] = [];
  for (const manifest of manifests) {
    const metadata = { namespace, ...manifest.metadata };
    const label = `${manifest.kind} ${metadata.name}`;
    try {
      const warnings = await server.api.apply({ ...manifest, metadata }, { dryRun: true });
      out.push(...warnings.map((warning) => `${label}: ${warning}`));
    } catch (error) {
      out.push(`${label}: ${(error as Error).message}`);
    }
  }
  return out;
}

for (const environment of environments) {
  test(`${environment}: the server accepts every object without a warning`, { skip }, async () => {
    assert.deepEqual(await stated(await posthornOf(environment), 'posthorn'), []);
    assert.deepEqual(await stated(await foundationOf(environment), 'posthorn'), []);
    const root = [rootOf(environment), ...(await applicationsOf(environment))];
    assert.deepEqual(await stated(root, 'argocd'), []);
  });
}

test('the server accepts MongoDB in the cluster', { skip }, async () => {
  const manifests = await render('argocd/mongodb', {
    release: 'mongodb',
    values: ['argocd/environments/prod/mongodb.yaml'],
    set: ['region=eu-central-1', 'remoteKey=posthorn/prod', 'backup.bucket=backups-of-prod'],
  });
  assert.deepEqual(await stated(manifests, 'mongodb'), []);
});

test('the server accepts the values of the installation guide', { skip }, async (t) => {
  const file = join(await tempDir(t), 'my-values.yaml');
  const [values = ''] = blocksOf(section('### B5. Install Posthorn'), 'yaml');
  await writeFile(file, values);
  const manifests = await render('charts/posthorn', { values: [file] });
  assert.deepEqual(await stated(manifests, 'posthorn'), []);
  const [command = ''] = commandsOf(section('### B4. Install NATS'));
  const { stdout } = await helm(
    command
      .replace(/ > .*$/, '')
      .split(' ')
      .slice(1),
  );
  assert.deepEqual(await stated(parseManifests(stdout), 'posthorn'), []);
});

const variants = {
  'as it is': [],
  canary: ['rollouts.enabled=true'],
  'blue and green': ['rollouts.enabled=true', 'rollouts.strategy=blueGreen'],
  'with an ingress': [
    'ingress.enabled=true',
    'ingress.className=nginx',
    'ingress.tlsSecret=tls',
    'ingress.publishHost=in.example.com',
    'ingress.apiHost=api.example.com',
  ],
};

for (const [variant, set] of Object.entries(variants)) {
  test(`the server accepts the chart ${variant}`, { skip }, async () => {
    const manifests = await render('charts/posthorn', { set: ['image.tag=abc', ...set] });
    assert.deepEqual(await stated(manifests, 'posthorn'), []);
  });
}

test('the server rejects faults that the schemas do not find', { skip }, async () => {
  const manifests = await render('charts/posthorn', { set: ['image.tag=abc'] });
  const budget = only(manifests, 'PodDisruptionBudget', 'posthorn-delivery');
  const deployment = only(manifests, 'Deployment', 'posthorn-delivery');
  const both = { ...budget, spec: { ...budget.spec, minAvailable: 1 } };
  const [refused] = await stated([both], 'posthorn');
  assert.match(String(refused), /minAvailable and maxUnavailable cannot be both set/);
  const unknown = { ...deployment, spec: { ...deployment.spec, replica: 3 } };
  assert.match(String(await stated([unknown], 'posthorn')), /\.spec\.replica: field not declared/);
  const text = JSON.stringify(deployment).replace('"runAsNonRoot":true', '"runAsNonRoot":false');
  const [warned] = await stated([JSON.parse(text) as Manifest], 'posthorn');
  assert.match(String(warned), /would violate PodSecurity \\?"restricted/);
});
