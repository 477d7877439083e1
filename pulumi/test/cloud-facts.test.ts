/** Facts of the cloud against the values that charts and applications have in Git, both ways. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parse } from 'yaml';
import type { EgressRule } from '../src/components/storage/mongodb.ts';
import { POOL_LABEL } from '../src/components/cluster/node-groups.ts';
import { stacks } from '../stack-file.ts';
import { allOf, onlyOf } from './kit/find-resources.ts';
import { recordPlatform } from './kit/record-platform.ts';
import { stackSettings } from './kit/stack-settings.ts';

const ROOT = new URL('../../', import.meta.url);
const valuesOf = (path: string): unknown => parse(readFileSync(new URL(path, ROOT), 'utf8'));

interface Egress {
  purpose: string;
  cidr?: string;
  port?: number;
  endPort?: number;
}
interface EnvironmentValues {
  defaults: { nodeSelector: Record<string, string> };
  network: { clientCidrs: string[]; egress: Egress[] };
}

const environmentOf = (stack: string): string => stack.replace('-recovery', '');
const posthornOf = (stack: string): EnvironmentValues =>
  valuesOf(`argocd/environments/${environmentOf(stack)}/posthorn.yaml`) as EnvironmentValues;

for (const stack of stacks) {
  const { region } = stackSettings(stack);
  const { resources, outputs } = await recordPlatform(stack, {
    mongodbEndpointService: `com.amazonaws.vpce.${region}.vpce-svc-0a1b2c3d4e`,
  });

  test(`${stack}: pods may reach every port on which MongoDB listens behind its endpoint`, () => {
    const rules = outputs['egress'] as EgressRule[];
    const group = allOf(resources, 'ec2/securityGroup:SecurityGroup').find(({ name }) =>
      name.endsWith('-mongodb-endpoint'),
    );
    assert.ok(group, 'the endpoint has a security group');
    const [ingress] = group.inputs['ingress'] as {
      fromPort: number;
      toPort: number;
      cidrBlocks: string[];
    }[];
    assert.deepEqual(rules, [
      {
        purpose: 'mongodb',
        cidr: ingress?.cidrBlocks[0],
        port: ingress?.fromPort,
        endPort: ingress?.toPort,
      },
    ]);
    const given = posthornOf(stack).network.egress.filter(({ purpose }) => purpose === 'mongodb');
    for (const { cidr, port, endPort } of rules) {
      const covering = given.find(
        (one) =>
          one.cidr === cidr &&
          (one.port ?? Infinity) <= port &&
          (one.endPort ?? one.port ?? 0) >= (endPort ?? port),
      );
      assert.ok(covering, `network.egress has ${cidr} ${port} to ${endPort}`);
    }
  });

  test(`${stack}: pods run on pools of nodes that exist`, () => {
    const pools = allOf(resources, 'eks/nodeGroup:NodeGroup').map(
      ({ inputs }) => (inputs['labels'] as Record<string, string>)[POOL_LABEL],
    );
    const nats = valuesOf(`argocd/environments/${environmentOf(stack)}/nats.yaml`) as {
      podTemplate: { merge: { spec: { nodeSelector: Record<string, string> } } };
    };
    const selectors = [
      posthornOf(stack).defaults.nodeSelector,
      nats.podTemplate.merge.spec.nodeSelector,
    ];
    for (const selector of selectors) {
      assert.deepEqual(Object.keys(selector), [POOL_LABEL]);
      assert.ok(pools.includes(selector[POOL_LABEL]), selector[POOL_LABEL]);
    }
  });
}

for (const environment of ['dev', 'stage', 'prod']) {
  test(`${environment}: every network that its pods exchange traffic with is one of its sites`, () => {
    const networks = stacks
      .filter((stack) => environmentOf(stack) === environment)
      .map((stack) => stackSettings(stack).vpcCidr);
    const { clientCidrs, egress } = posthornOf(environment).network;
    const cidrs = egress.flatMap(({ cidr }) => cidr ?? []);
    assert.deepEqual(clientCidrs.toSorted(), networks.toSorted());
    assert.deepEqual(cidrs.toSorted(), networks.toSorted());
  });
}

test('every identity belongs to a service account that an application creates', async () => {
  const { resources } = await recordPlatform('prod');
  const { platform } = valuesOf('argocd/apps/values.yaml') as {
    platform: Record<string, { namespace: string; values: Record<string, unknown> }>;
  };
  const accounts = allOf(resources, 'eks/podIdentityAssociation:PodIdentityAssociation').map(
    ({ inputs }) => `${String(inputs['namespace'])}/${String(inputs['serviceAccount'])}`,
  );
  const named = (chart: string, account: unknown): string =>
    `${platform[chart]?.namespace}/${String(account)}`;
  const balancer = platform['aws-load-balancer-controller']?.values['serviceAccount'];
  const scaler = platform['cluster-autoscaler']?.values['rbac'] as { serviceAccount: unknown };
  assert.deepEqual(accounts.toSorted(), [
    // The chart names the account after its release.
    named('external-secrets', 'external-secrets'),
    named('aws-load-balancer-controller', (balancer as { name: string }).name),
    named('cluster-autoscaler', (scaler.serviceAccount as { name: string }).name),
    'posthorn/posthorn-control',
  ]);
});

test('the backups of MongoDB go to the bucket that its identity may write', async () => {
  const { resources } = await recordPlatform('prod', { mongodbMode: 'operator' });
  const { spec } = onlyOf(resources, 'argoproj.io/v1alpha1:Application').inputs as {
    spec: { source: { helm: { valuesObject: { mongodb: { backupBucket: string } } } } };
  };
  const { backupBucket } = spec.source.helm.valuesObject.mongodb;
  const buckets = allOf(resources, 's3/bucket:Bucket').map(({ inputs }) => inputs['bucket']);
  assert.ok(buckets.includes(backupBucket));
  const policy = allOf(resources, 'iam/rolePolicy:RolePolicy').find(
    ({ name }) => name === 'posthorn-prod-mongodb-backup',
  );
  assert.ok(String(policy?.inputs['policy']).includes(`arn:aws:s3:::${backupBucket}/*`));
});
