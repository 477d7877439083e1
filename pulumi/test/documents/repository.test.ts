/** What this program hands over, against the folders of the repository that take it. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parse } from 'yaml';
import { POOL_LABEL } from '../../src/components/cluster/node-groups.ts';
import { stacks as allStacks } from '../../stack-file.ts';
import { allOf, onlyOf } from '../kit/find-resources.ts';
import { recordPlatform } from '../kit/record-platform.ts';

const ROOT = new URL('../../../', import.meta.url);
const textOf = (path: string): string => readFileSync(new URL(path, ROOT), 'utf8');

interface RootSource {
  path: string;
  helm: { valueFiles: string[]; valuesObject: Record<string, unknown> };
}

interface Schema {
  properties: Record<string, Schema>;
}

const stacks = ['dev', 'stage', 'prod'] as const;
for (const stack of stacks) {
  const { resources } = await recordPlatform(stack);
  const application = onlyOf(resources, 'argoproj.io/v1alpha1:Application');
  const { source } = application.inputs['spec'] as { source: RootSource };

  test(`${stack}: the chart and the values of the root application exist`, () => {
    assert.ok(existsSync(new URL(`${source.path}/Chart.yaml`, ROOT)), source.path);
    for (const file of source.helm.valueFiles) {
      assert.ok(existsSync(new URL(`${source.path}/${file}`, ROOT)), file);
    }
  });

  test(`${stack}: the chart accepts the values of the root application`, () => {
    const schema = JSON.parse(textOf(`${source.path}/values.schema.json`)) as Schema;
    const values = source.helm.valuesObject;
    for (const key of Object.keys(values)) assert.ok(schema.properties[key], key);
    // Which chart at which version is Git's to say, in one place.
    const { platform } = parse(textOf(`${source.path}/values.yaml`)) as { platform: object };
    for (const [name, given] of Object.entries(values['platform'] as Record<string, object>)) {
      assert.ok(name in platform, name);
      assert.deepEqual(Object.keys(given), ['values'], name);
    }
    const mongodb = schema.properties['mongodb']?.properties ?? {};
    for (const key of Object.keys(values['mongodb'] as object)) assert.ok(mongodb[key], key);
  });

  test(`${stack}: region, secret and network equal those of its applications`, () => {
    const folder = `argocd/environments/${stack}`;
    const apps = parse(textOf(`${folder}/apps.yaml`)) as Record<string, string>;
    for (const key of ['environment', 'region', 'remoteKey']) {
      assert.equal(source.helm.valuesObject[key], apps[key], key);
    }
    const posthorn = parse(textOf(`${folder}/posthorn.yaml`)) as {
      network: { egress: { purpose: string; cidr?: string }[] };
    };
    const { cidrBlock } = onlyOf(resources, 'ec2/vpc:Vpc').inputs;
    // That of the recovery site may be there too (test/infra/argocd/networks.test.ts).
    const mongodb = posthorn.network.egress.filter(({ purpose }) => purpose === 'mongodb');
    assert.ok(mongodb.some(({ cidr }) => cidr === cidrBlock));
  });
}

test('the image is built for the architecture of every node', async () => {
  const { jobs } = parse(textOf('.github/workflows/image.yaml')) as {
    jobs: Record<
      string,
      { needs?: string; strategy?: { matrix: { include: { arch: string }[] } } }
    >;
  };
  const built = jobs['build']?.strategy?.matrix.include.map(({ arch }) => arch) ?? [];
  const named = textOf('.github/workflows/image.yaml');
  // The name without an architecture, which the roll-out commits, is an index of all of them.
  assert.equal(jobs['dev']?.needs, 'index');
  assert.equal(jobs['index']?.needs, 'build');
  for (const arch of built) assert.ok(named.includes(`"$IMAGE:$GITHUB_SHA-${arch}"`), arch);
  const architectures: Readonly<Record<string, string>> = { BOTTLEROCKET_ARM_64: 'arm64' };
  for (const stack of allStacks) {
    const { resources } = await recordPlatform(stack);
    for (const { name, inputs } of allOf(resources, 'eks/nodeGroup:NodeGroup')) {
      const arch = architectures[String(inputs['amiType'])];
      assert.ok(arch !== undefined && built.includes(arch), `${stack} ${name}`);
    }
  }
});

test('brokers prefer their nodes, tolerate their taint, and use an existing storage class', async () => {
  const { resources } = await recordPlatform('prod');
  const values = textOf('charts/nats/values.yaml');
  assert.ok(values.includes(`key: ${POOL_LABEL}, operator: Equal, value: nats`));
  assert.ok(values.includes(`key: ${POOL_LABEL}, operator: In, values: [nats]`));
  const [, requested] = /storageClassName: (\w+)/.exec(values) ?? [];
  const { metadata } = onlyOf(resources, 'storage.k8s.io/v1:StorageClass').inputs as {
    metadata: { name: string };
  };
  assert.equal(metadata.name, requested);
});

test('control runs as the service account with the identity, in its namespace', async () => {
  const { resources } = await recordPlatform('prod');
  const identity = allOf(resources, 'eks/podIdentityAssociation:PodIdentityAssociation').find(
    ({ name }) => name === 'posthorn-prod-control',
  );
  const application = textOf('argocd/apps/templates/posthorn.yaml');
  // The chart names an account after the release and the role.
  assert.match(application, /"name" "posthorn"/);
  assert.equal(identity?.inputs['serviceAccount'], 'posthorn-control');
  assert.match(
    textOf('charts/posthorn/templates/workloads.yaml'),
    /"name" \(printf "%s-%s" \(include "posthorn\.name" \$\) \$role\)/,
  );
  assert.ok(application.includes(`namespace: ${String(identity?.inputs['namespace'])} }`));
});

test('MongoDB in the cluster uses the nodes and the service account created for it', async () => {
  const { resources } = await recordPlatform('prod', { mongodbMode: 'operator' });
  const identity = allOf(resources, 'eks/podIdentityAssociation:PodIdentityAssociation').find(
    ({ name }) => name === 'posthorn-prod-mongodb-backup',
  );
  const chart = textOf('argocd/mongodb/templates/replica-set.yaml');
  assert.ok(chart.includes(`serviceAccountName: ${String(identity?.inputs['serviceAccount'])}`));
  assert.ok(chart.includes(`namespace: ${String(identity?.inputs['namespace'])}\n`));
  assert.ok(chart.includes(`key: ${POOL_LABEL}, operator: Equal, value: mongodb`));
  const values = parse(textOf('argocd/mongodb/values.yaml')) as { nodeSelector: object };
  assert.deepEqual(values.nodeSelector, { [POOL_LABEL]: 'mongodb' });
});

test('the storage class equals the one in Git, because most of its fields are immutable', async () => {
  const { resources } = await recordPlatform('prod');
  const { inputs } = onlyOf(resources, 'storage.k8s.io/v1:StorageClass');
  const made = parse(textOf('argocd/foundation/templates/storage-class.yaml')) as {
    apiVersion: string;
    kind: string;
    metadata: { name: string };
    parameters: Record<string, string>;
  };
  const { apiVersion: _, kind: __, metadata, parameters, ...fields } = made;
  assert.equal((inputs['metadata'] as { name: string }).name, metadata.name);
  for (const [key, value] of Object.entries(fields)) assert.equal(inputs[key], value, key);
  for (const [key, value] of Object.entries(parameters)) {
    assert.equal((inputs['parameters'] as Record<string, string>)[key], value, key);
  }
});
