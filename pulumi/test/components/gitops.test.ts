import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parse } from 'yaml';
import { DependencyGraph } from '../kit/dependency-graph.ts';
import { allOf, onlyOf } from '../kit/find-resources.ts';
import { recordPlatform } from '../kit/record-platform.ts';

/** An entry of `platform`. */
interface Service {
  values: Record<string, unknown>;
}

const { resources } = await recordPlatform('prod');
const site = await recordPlatform('prod-recovery');
const inCluster = resources.filter(({ type }) => type.startsWith('kubernetes:'));

test('the program creates five objects in the cluster, all through its own provider', () => {
  assert.deepEqual(inCluster.map(({ type }) => type.slice(type.lastIndexOf(':') + 1)).toSorted(), [
    'Application',
    'Namespace',
    'Release',
    'Secret',
    'StorageClass',
  ]);
  for (const { name, provider } of inCluster) assert.equal(provider, 'argocd', name);
});

test('Argo CD gets the credentials of a private repository before the root application', async () => {
  const gitCredentials = '{"username":"argocd","password":"a token"}';
  const { resources: made } = await recordPlatform('dev', { gitCredentials });
  const secret = made.find(({ name }) => name === 'argocd-repository');
  assert.ok(secret);
  const { labels } = secret.inputs['metadata'] as { labels: Record<string, string> };
  assert.deepEqual(labels, { 'argocd.argoproj.io/secret-type': 'repository' });
  // The engine gets them marked as secret, and encrypts them in the state.
  const { value } = secret.inputs['stringData'] as { value: unknown };
  assert.deepEqual(value, {
    type: 'git',
    url: 'https://git.example.com/platform/posthorn.git',
    username: 'argocd',
    password: 'a token',
  });
  const root = onlyOf(made, 'argoproj.io/v1alpha1:Application');
  assert.ok(new DependencyGraph(made).waits(root, secret));
});

test('Argo CD is installed at a pinned version, and then manages its own updates', () => {
  const apps = parse(
    readFileSync(new URL('../../../argocd/apps/values.yaml', import.meta.url), 'utf8'),
  ) as {
    argocd: { version: string };
  };
  const release = onlyOf(resources, 'helm.sh/v3:Release');
  assert.equal(release.inputs['chart'], 'argo-cd');
  assert.equal(release.inputs['version'], apps.argocd.version);
  assert.deepEqual(release.ignoreChanges, ['values', 'version']);
  const { configs, dex } = release.inputs['values'] as {
    configs: { cm: Record<string, unknown> };
    dex: unknown;
  };
  const health = 'resource.customizations.health.argoproj.io_Application';
  const file = new URL('../../../argocd/install/values.yaml', import.meta.url);
  const byHand = parse(readFileSync(file, 'utf8')) as { configs: typeof configs };
  assert.equal(configs.cm[health], byHand.configs.cm[health]);
  assert.equal(configs.cm['exec.enabled'], false);
  assert.deepEqual(dex, { enabled: false });
});

test('the Secret of the cluster gives charts the facts of the cloud and contains no secret', () => {
  const { inputs } = onlyOf(resources, 'core/v1:Secret');
  const { labels, annotations } = inputs['metadata'] as Record<string, Record<string, string>>;
  assert.equal(labels?.['argocd.argoproj.io/secret-type'], 'cluster');
  assert.equal(labels?.['posthorn.dev/environment'], 'prod');
  assert.deepEqual(Object.keys(annotations ?? {}).toSorted(), [
    'posthorn.dev/account-id',
    'posthorn.dev/archive-bucket',
    'posthorn.dev/cluster-name',
    'posthorn.dev/egress-addresses',
    'posthorn.dev/image-repository',
    'posthorn.dev/mongodb-mode',
    'posthorn.dev/region',
    'posthorn.dev/role-cluster-autoscaler',
    'posthorn.dev/role-control',
    'posthorn.dev/role-external-secrets',
    'posthorn.dev/role-load-balancer',
    'posthorn.dev/secret-name',
    'posthorn.dev/standby',
    'posthorn.dev/volume-key-arn',
    'posthorn.dev/vpc-cidr',
    'posthorn.dev/zones',
  ]);
  assert.equal(annotations?.['posthorn.dev/standby'], 'false');
  // Pulumi keeps it as a secret in its state, as it does with all data of Secrets.
  assert.deepEqual((inputs['stringData'] as { value: unknown }).value, {
    name: 'in-cluster',
    server: 'https://kubernetes.default.svc',
    config: '{"tlsClientConfig":{"insecure":false}}',
  });
});

test('the Secret of a standby cluster marks it as a standby', () => {
  const { metadata } = onlyOf(site.resources, 'core/v1:Secret').inputs as {
    metadata: { annotations: Record<string, string>; labels: Record<string, string> };
  };
  assert.equal(metadata.annotations['posthorn.dev/standby'], 'true');
  assert.equal(metadata.labels['posthorn.dev/site'], 'recovery');
});

test('the root application follows the configured path in Git and is created after Argo CD', async () => {
  const root = onlyOf(resources, 'argoproj.io/v1alpha1:Application');
  const spec = root.inputs['spec'] as Record<string, Record<string, unknown>>;
  const { helm, ...place } = spec['source'] as { helm: Record<string, Record<string, unknown>> };
  assert.deepEqual(place, {
    repoURL: 'https://git.example.com/platform/posthorn.git',
    targetRevision: 'main',
    path: 'argocd/apps',
  });
  assert.deepEqual(helm['valueFiles'], ['../environments/prod/apps.yaml']);
  const { platform: _platform, argocd, ...values } = helm['valuesObject'] ?? {};
  const installed = onlyOf(resources, 'helm.sh/v3:Release').inputs['values'];
  assert.deepEqual(argocd, { values: installed }, 'its own application keeps the values');
  assert.deepEqual(values, {
    environment: 'prod',
    region: 'eu-central-1',
    repoURL: 'https://git.example.com/platform/posthorn.git',
    revision: 'main',
    remoteKey: 'posthorn/prod',
    mongodb: { mode: 'external' },
  });
  assert.deepEqual(spec['syncPolicy']?.['automated'], { prune: false, selfHeal: true });
  assert.ok(root.dependsOn.some((urn) => urn.includes(':Release::')));
  const other = await recordPlatform('dev', { gitPath: 'deploy/dev', gitRevision: 'v2' });
  const source = onlyOf(other.resources, 'argoproj.io/v1alpha1:Application').inputs['spec'];
  const { path, targetRevision } = (source as { source: Record<string, string> }).source;
  assert.deepEqual([path, targetRevision], ['deploy/dev', 'v2']);
});

test('the operator of MongoDB gets the bucket created for it when MongoDB is in the cluster', async () => {
  const made = await recordPlatform('prod', { mongodbMode: 'operator' });
  const { spec } = onlyOf(made.resources, 'argoproj.io/v1alpha1:Application').inputs as {
    spec: { source: { helm: { valuesObject: { mongodb: Record<string, unknown> } } } };
  };
  const { mongodb } = spec.source.helm.valuesObject;
  const buckets = allOf(made.resources, 's3/bucket:Bucket').map(({ inputs }) => inputs['bucket']);
  assert.ok(buckets.includes(mongodb['backupBucket']));
  assert.deepEqual([mongodb['mode'], mongodb['backupDays']], ['operator', 35]);
});

test('objects in the cluster are created only after an administrator has access and nodes exist', () => {
  const provider = onlyOf(resources, 'providers:kubernetes');
  for (const needed of ['AccessPolicyAssociation::', 'NodeGroup::', 'Addon::coredns']) {
    assert.ok(
      provider.dependsOn.some((urn) => urn.includes(needed)),
      needed,
    );
  }
  assert.equal(provider.inputs['deleteUnreachable'], 'false');
});

test('the kubeconfig contains no credential, and a tunnel keeps the name of the certificate', async () => {
  const text = String(onlyOf(resources, 'providers:kubernetes').inputs['kubeconfig']);
  const { users } = JSON.parse(text) as { users: { user: Record<string, unknown> }[] };
  assert.deepEqual(Object.keys(users[0]?.user ?? {}), ['exec']);
  const tunnelled = await recordPlatform('dev', { apiTunnelUrl: 'https://127.0.0.1:8443' });
  const { clusters } = JSON.parse(String(tunnelled.outputs['kubeconfig'])) as {
    clusters: { cluster: Record<string, string> }[];
  };
  assert.equal(clusters[0]?.cluster['server'], 'https://127.0.0.1:8443');
  assert.equal(clusters[0]?.cluster['tls-server-name'], 'abc.gr7.eks.example.com');
});

test('the program creates nothing in the cluster without Argo CD', async () => {
  const bare = await recordPlatform('dev', { argocd: 'false' });
  const requested = bare.resources.filter(({ type }) => type.includes('kubernetes'));
  assert.deepEqual(requested, []);
  assert.ok(allOf(bare.resources, 'eks/cluster:Cluster'));
});

test('volumes are encrypted under the volume key and created in the zone of their pod', () => {
  const { inputs } = onlyOf(resources, 'storage.k8s.io/v1:StorageClass');
  assert.equal((inputs['metadata'] as { name: string }).name, 'gp3');
  assert.deepEqual(inputs['parameters'], {
    type: 'gp3',
    encrypted: 'true',
    kmsKeyId: 'arn:aws:kms:::posthorn-prod-volume',
  });
  assert.equal(inputs['volumeBindingMode'], 'WaitForFirstConsumer');
  assert.equal(inputs['reclaimPolicy'], 'Retain');
  // The foundation applies the same class, whose fields cannot be changed later.
  const file = '../../../argocd/foundation/templates/storage-class.yaml';
  const fromGit = parse(readFileSync(new URL(file, import.meta.url), 'utf8')) as object;
  const { metadata, parameters, ...fixed } = fromGit as Record<string, unknown>;
  assert.partialDeepStrictEqual(inputs, fixed);
  assert.partialDeepStrictEqual(inputs['parameters'], parameters);
  assert.equal((metadata as { name: string }).name, 'gp3');
});

test('the AWS operators get the name of the cluster and run as the service accounts with identities', () => {
  const { spec } = onlyOf(resources, 'argoproj.io/v1alpha1:Application').inputs as {
    spec: { source: { helm: { valuesObject: { platform: Record<string, Service> } } } };
  };
  const { platform } = spec.source.helm.valuesObject;
  const balancer = platform['aws-load-balancer-controller'];
  assert.equal(balancer?.values['clusterName'], 'posthorn-prod');
  assert.equal(balancer?.values['vpcId'], 'posthorn-prod-id');
  for (const off of ['enableShield', 'enableWaf', 'enableWafv2']) {
    assert.equal(balancer?.values[off], false, off);
  }
  const autoscaler = platform['cluster-autoscaler'];
  assert.ok(autoscaler);
  assert.deepEqual(autoscaler.values['autoDiscovery'], { clusterName: 'posthorn-prod' });
  const known = allOf(resources, 'eks/podIdentityAssociation:PodIdentityAssociation').map(
    ({ inputs }) => `${String(inputs['namespace'])}/${String(inputs['serviceAccount'])}`,
  );
  const { serviceAccount } = autoscaler.values['rbac'] as { serviceAccount: { name: string } };
  const accounts = [balancer?.values['serviceAccount'] as { name: string }, serviceAccount];
  for (const { name } of accounts) assert.ok(known.includes(`kube-system/${name}`), name);
});

test('a standby has Argo CD without applications, and gets the root application when it takes over', async () => {
  const applications = (from: typeof resources) =>
    from.filter(({ type }) => type.endsWith(':Application')).length;
  assert.equal(applications(site.resources), 0);
  assert.ok(onlyOf(site.resources, 'helm.sh/v3:Release'));
  const active = await recordPlatform('prod-recovery', { standby: 'false' });
  assert.equal(applications(active.resources), 1);
});
