/** The manifests of MongoDB in the cluster, which an environment gets only on request. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { projectText } from '../../docs/project-files.ts';
import { at, conform, type Manifest, only, parseManifests, render } from '../manifests.ts';
import { schemasDirectory } from '../schemas/make-schemas.ts';
import { tools, without } from '../tools.ts';

const skip =
  without(tools.helm) ||
  without(tools.kubeconform) ||
  (!existsSync(schemasDirectory()) && 'there are no schemas: the lines above say why');

const BUCKET = 'posthorn-prod-mongodb-backup-123456789012-eu-central-1';
const OPERATOR = ['mongodb.mode=operator', `mongodb.backupBucket=${BUCKET}`];

const applicationsOf = (environment: string, set: string[]): Promise<Manifest[]> => {
  const values = [`argocd/environments/${environment}/apps.yaml`];
  return render('argocd/apps', { release: 'root', values, set });
};

/** Renders the chart as its application does. */
async function mongodbOf(environment: string): Promise<Manifest[]> {
  const application = only(await applicationsOf(environment, OPERATOR), 'Application', 'mongodb');
  const { valueFiles, valuesObject } = at(application, 'spec', 'source', 'helm') as {
    valueFiles: string[];
    valuesObject: { region: string; remoteKey: string; backup: { bucket: string } };
  };
  const { region, remoteKey, backup } = valuesObject;
  return render(at(application, 'spec', 'source', 'path') as string, {
    release: 'mongodb',
    values: valueFiles.map((file) => file.replace(/^\//, '')),
    set: [`region=${region}`, `remoteKey=${remoteKey}`, `backup.bucket=${backup.bucket}`],
  });
}

test('an environment with an external MongoDB has none in the cluster', { skip }, async () => {
  const names = (await applicationsOf('prod', [])).map(({ metadata }) => metadata.name);
  assert.ok(!names.includes('mongodb') && !names.includes('psmdb-operator'));
});

test(
  'the operator is deployed before the database, and the database before Posthorn',
  { skip },
  async () => {
    const manifests = await applicationsOf('prod', [...OPERATOR, 'mongodb.backupDays=14']);
    await conform(manifests);
    const waves = ['psmdb-operator', 'foundation', 'mongodb', 'posthorn'].map((name) =>
      Number(
        only(manifests, 'Application', name).metadata.annotations?.['argocd.argoproj.io/sync-wave'],
      ),
    );
    assert.deepEqual(waves, [-15, -10, -5, 5]);
    const mongodb = only(manifests, 'Application', 'mongodb');
    assert.equal(at(mongodb, 'spec', 'syncPolicy', 'automated', 'prune'), false, 'data is kept');
    assert.equal(at(mongodb, 'spec', 'source', 'helm', 'valuesObject', 'backup', 'days'), 14);
    const posthorn = only(manifests, 'Application', 'posthorn');
    const egress = at(posthorn, 'spec', 'source', 'helm', 'valuesObject', 'network', 'egress');
    assert.deepEqual(egress, [
      { purpose: 'nats', namespace: 'nats', podLabels: { 'app.kubernetes.io/name': 'nats' } },
      { purpose: 'mongodb', namespace: 'mongodb', port: 27017 },
    ]);
    const { spec } = only(manifests, 'AppProject', 'platform');
    const allowed = at(spec, 'destinations') as object[];
    assert.ok(allowed.some((one) => at(one, 'namespace') === 'mongodb'));
  },
);

for (const environment of ['dev', 'stage', 'prod']) {
  test(
    `${environment}: MongoDB is a replica set over three zones with TLS and backups`,
    { skip },
    async () => {
      const manifests = await mongodbOf(environment);
      await conform(manifests);
      const { spec } = only(manifests, 'PerconaServerMongoDB', 'posthorn');
      const members = at(spec, 'replsets', 0);
      assert.equal(at(members, 'size'), 3);
      assert.equal(
        at(members, 'affinity', 'antiAffinityTopologyKey'),
        'topology.kubernetes.io/zone',
      );
      assert.deepEqual(at(members, 'resources', 'requests'), at(members, 'resources', 'limits'));
      assert.equal(at(spec, 'tls', 'mode'), 'requireTLS');
      assert.equal(at(spec, 'unsafeFlags'), undefined);
      assert.equal(at(spec, 'backup', 'pitr', 'enabled'), true);
      const [task] = at(spec, 'backup', 'tasks') as object[];
      const storage = at(spec, 'backup', 'storages', String(at(task, 'storageName')), 's3');
      assert.equal(at(storage, 'bucket'), BUCKET);
      assert.equal(at(storage, 'credentialsSecret'), undefined, 'by the identity of the pod');
      assert.equal(at(task, 'retention', 'count'), environment === 'dev' ? 7 : 35);
      const contexts = [
        at(spec, 'initContainerSecurityContext'),
        at(members, 'containerSecurityContext'),
        at(spec, 'backup', 'containerSecurityContext'),
      ];
      for (const context of contexts) {
        assert.equal(at(context, 'allowPrivilegeEscalation'), false);
        assert.equal(at(context, 'runAsNonRoot'), true);
        assert.deepEqual(at(context, 'capabilities', 'drop'), ['ALL']);
      }
    },
  );
}

test(
  'certificate, password, service account and storage class of MongoDB exist',
  { skip },
  async () => {
    const manifests = await mongodbOf('prod');
    const foundation = await render('argocd/foundation', {
      set: ['region=eu-central-1', 'remoteKey=posthorn/prod'],
    });
    const { spec } = only(manifests, 'PerconaServerMongoDB', 'posthorn');
    const members = at(spec, 'replsets', 0);
    const { spec: certificate } = only(manifests, 'Certificate', 'mongodb-tls');
    for (const secret of ['ssl', 'sslInternal']) {
      assert.equal(at(spec, 'secrets', secret), at(certificate, 'secretName'), secret);
    }
    only(foundation, 'ClusterIssuer', at(certificate, 'issuerRef', 'name') as string);
    const names = at(certificate, 'dnsNames') as string[];
    assert.ok(names.includes('posthorn-rs0.mongodb.svc.cluster.local'), 'the name in mongodbUrl');
    assert.ok(names.includes('*.posthorn-rs0.mongodb.svc.cluster.local'), 'those of members');
    const reference = at(spec, 'users', 0, 'passwordSecretRef');
    const { spec: password } = only(manifests, 'ExternalSecret', 'mongodb-access');
    assert.equal(at(password, 'target', 'name'), at(reference, 'name'));
    assert.equal(at(password, 'data', 0, 'secretKey'), at(reference, 'key'));
    only(manifests, 'ServiceAccount', at(members, 'serviceAccountName') as string);
    const claim = at(members, 'volumeSpec', 'persistentVolumeClaim');
    only(foundation, 'StorageClass', at(claim, 'storageClassName') as string);
    const store = only(foundation, 'ClusterSecretStore', 'platform');
    const served = at(store, 'spec', 'conditions', 0, 'namespaces') as string[];
    assert.ok(served.includes('mongodb'));
  },
);

test('operator, resource and schema have the same release', { skip }, async () => {
  const { spec } = only(await mongodbOf('prod'), 'PerconaServerMongoDB', 'posthorn');
  const version = at(spec, 'crVersion');
  const apps: unknown = parse(projectText('argocd/apps/values.yaml'));
  assert.equal(at(apps, 'platform', 'psmdb-operator', 'version'), version);
  const schemas = projectText('test/infra/schemas/sources.ts');
  assert.ok(schemas.includes(`percona-server-mongodb-operator@v${String(version)}`));
  // The validation of the resource is only as strict as its schema.
  const kind = 'perconaservermongodb_psmdb.percona.com_v1.json';
  assert.ok(
    readFileSync(join(schemasDirectory(), kind), 'utf8').includes('antiAffinityTopologyKey'),
  );
});

test(
  'rejects a database without a location for backups with the name of the value',
  { skip },
  async () => {
    await assert.rejects(
      applicationsOf('prod', ['mongodb.mode=operator']),
      /\/mongodb\/backupBucket/,
    );
    await assert.rejects(applicationsOf('prod', ['mongodb.mode=atlas']), /\/mongodb\/mode/);
    const set = ['region=eu-central-1', 'remoteKey=posthorn/prod'];
    await assert.rejects(render('argocd/mongodb', { set }), /\/backup\/bucket/);
  },
);

test('the operator accepts the restore of the guide', { skip }, async () => {
  const guide = projectText('docs/operations/backup.md');
  const blocks = [...guide.matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].map(([, text = '']) => text);
  const restores = blocks.flatMap(parseManifests);
  await conform(restores);
  const { metadata, spec } = only(restores, 'PerconaServerMongoDBRestore', 'restore-1');
  const { metadata: database } = only(await mongodbOf('prod'), 'PerconaServerMongoDB', 'posthorn');
  assert.equal(at(spec, 'clusterName'), database.name);
  assert.equal(metadata.namespace, database.namespace);
});

test(
  'backups are exported as metrics only with the operator in the cluster',
  { skip },
  async () => {
    const resourcesOf = async (set: string[]): Promise<unknown> => {
      const stack = only(await applicationsOf('prod', set), 'Application', 'kube-prometheus-stack');
      const values = at(stack, 'spec', 'source', 'helm', 'valuesObject');
      // The receivers of alerts and the pods to scrape are there in both cases.
      assert.ok(at(values, 'alertmanager'));
      assert.ok(at(values, 'prometheus', 'additionalPodMonitors', 0));
      return at(values, 'kube-state-metrics', 'customResourceState', 'config', 'spec', 'resources');
    };
    assert.equal(await resourcesOf([]), undefined);
    const resources = await resourcesOf(OPERATOR);
    assert.equal(at(resources, 0, 'groupVersionKind', 'group'), 'psmdb.percona.com');
    const prefix = at(resources, 0, 'metricNamePrefix');
    const name = at(resources, 0, 'metrics', 0, 'name');
    assert.match(
      projectText('charts/posthorn/files/rules/platform.yaml'),
      new RegExp(`\\(${String(prefix)}_${String(name)}\\{`),
    );
  },
);
