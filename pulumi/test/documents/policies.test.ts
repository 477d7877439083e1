import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { INTERFACE_SERVICES } from '../../src/components/network/vpc-endpoints.ts';
import { managedPolicies } from '../../src/managed-policies.ts';
import { wildcardReasons } from '../../src/wildcard-reasons.ts';
import { allOf } from '../kit/find-resources.ts';
import { describePolicies, hasWildcard, policyDocumentsOf } from './policy-documents.ts';
import { recordPlatform } from '../kit/record-platform.ts';

const primary = await recordPlatform('prod', { mongodbMode: 'operator' });
const site = await recordPlatform('prod-recovery', { mongodbMode: 'operator' });
const documents = policyDocumentsOf(primary.resources);
const statements = [documents, policyDocumentsOf(site.resources)]
  .flat()
  .flatMap((document) => document.statements);

test('every policy equals the reviewed one, word for word', () => {
  const reviewed = readFileSync(new URL('reviewed-policies.txt', import.meta.url), 'utf8');
  assert.equal(describePolicies(documents), reviewed);
});

test('roles and keys have policies of the program, and no other resource has one', () => {
  for (const role of allOf(primary.resources, 'iam/role:Role')) {
    assert.ok(
      documents.some(({ resource }) => resource === `Role ${role.name} assumeRolePolicy`),
      role.name,
    );
  }
  for (const key of allOf(primary.resources, 'kms/key:Key')) {
    assert.ok(
      documents.some(({ resource }) => resource === `Key ${key.name} policy`),
      key.name,
    );
  }
});

test('every wildcard has a written reason, and every written reason has a wildcard', () => {
  const wild = statements.filter(hasWildcard);
  for (const { Sid } of wild) assert.ok(Object.hasOwn(wildcardReasons, Sid), `${Sid} has a reason`);
  const used = new Set(wild.map(({ Sid }) => Sid));
  for (const [sid, reason] of Object.entries(wildcardReasons)) {
    assert.ok(used.has(sid), `${sid} is needed`);
    assert.ok(reason.length >= 20, sid);
  }
});

test('no role has all actions of a service, or an action on all resources that changes them', () => {
  const ofRoles = documents.filter(({ resource }) => resource.startsWith('RolePolicy '));
  assert.ok(ofRoles.length >= 7);
  for (const { resource, statements: own } of ofRoles) {
    for (const { Action, Resource, Sid } of own) {
      for (const action of Action) assert.doesNotMatch(action, /\*/, `${resource} ${Sid}`);
      if (Resource?.includes('*') !== true) continue;
      for (const action of Action)
        assert.match(action, /:(Describe|Get|List)/, `${resource} ${Sid}`);
    }
  }
});

test('the load balancer controller may create the service-linked role of ELB, and no other', () => {
  const creates = documents.flatMap(({ resource, statements: own }) =>
    own
      .filter(({ Action }) => Action.includes('iam:CreateServiceLinkedRole'))
      .map(({ Resource, Condition }) => ({ resource, Resource, Condition })),
  );
  assert.deepEqual(creates, [
    {
      resource: 'RolePolicy posthorn-prod-load-balancer policy',
      Resource: [
        'arn:aws:iam::123456789012:role/aws-service-role/elasticloadbalancing.amazonaws.com/' +
          'AWSServiceRoleForElasticLoadBalancing',
      ],
      Condition: {
        StringEquals: { 'iam:AWSServiceName': 'elasticloadbalancing.amazonaws.com' },
      },
    },
  ]);
});

test('the role of flow logs holds every permission that VPC flow logs demand', () => {
  const role = documents.find(
    ({ resource }) => resource === 'RolePolicy posthorn-prod-flows policy',
  );
  const held = role?.statements.flatMap(({ Action }) => Action) ?? [];
  // https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-iam-role.html, without
  // CreateLogGroup: the program creates the group.
  for (const action of [
    'CreateLogStream',
    'PutLogEvents',
    'DescribeLogGroups',
    'DescribeLogStreams',
  ]) {
    assert.ok(held.includes(`logs:${action}`), action);
  }
});

test('every service that a pod or node calls has a private endpoint or is listed as an exception', () => {
  const published: readonly string[] = INTERFACE_SERVICES;
  // The gateway endpoint; and services of AWS without an endpoint in a VPC of every region.
  const others = ['s3', 'iam', 'acm'];
  const endpoints: Readonly<Record<string, string[]>> = { ecr: ['ecr.api', 'ecr.dkr'] };
  const services = new Set<string>();
  for (const { resource, statements: own } of documents) {
    const [, name = ''] = resource.split(' ');
    const trust = documents.find((one) => one.resource === `Role ${name} assumeRolePolicy`);
    const { Principal } = trust?.statements[0] ?? {};
    const service = (Principal as Record<string, string> | undefined)?.['Service'];
    if (!['pods.eks.amazonaws.com', 'ec2.amazonaws.com'].includes(service ?? '')) continue;
    if (!resource.startsWith('RolePolicy ')) continue;
    for (const { Action } of own)
      for (const action of Action) services.add(action.split(':')[0] ?? '');
  }
  assert.ok(services.size > 5);
  for (const service of services) {
    if (others.includes(service)) continue;
    for (const endpoint of endpoints[service] ?? [service]) {
      assert.ok(published.includes(endpoint), endpoint);
    }
  }
  // Session Manager, and the identities of pods, by policies of AWS.
  for (const endpoint of ['ssm', 'ssmmessages', 'ec2messages', 'eks', 'eks-auth', 'logs', 'sts']) {
    assert.ok(published.includes(endpoint), endpoint);
  }
});

test('only the listed AWS policies are attached, each with a written reason', () => {
  const attached = allOf(primary.resources, 'iam/rolePolicyAttachment:RolePolicyAttachment').map(
    ({ inputs }) => {
      const { role, policyArn } = inputs as { role: string; policyArn: string };
      return `${role.replace('posthorn-prod-', '')}: ${policyArn.replace('arn:aws:iam::aws:policy/', '')}`;
    },
  );
  assert.deepEqual(attached.toSorted(), [
    'backup: AWSBackupServiceRolePolicyForS3Backup',
    'backup: AWSBackupServiceRolePolicyForS3Restore',
    'backup: service-role/AWSBackupServiceRolePolicyForBackup',
    'backup: service-role/AWSBackupServiceRolePolicyForRestores',
    'cluster: AmazonEKSClusterPolicy',
    'ebs-csi: service-role/AmazonEBSCSIDriverPolicy',
    'nodes: AmazonEC2ContainerRegistryPullOnly',
    'nodes: AmazonEKSWorkerNodePolicy',
    'nodes: AmazonSSMManagedInstanceCore',
    'vpc-cni: AmazonEKS_CNI_Policy',
  ]);
  const known = Object.values(managedPolicies);
  assert.equal(known.length, attached.length);
  for (const { reason } of known) assert.ok(reason.length >= 20);
});

test('only the service of a role may assume it, and only for this account', () => {
  for (const { resource, statements: own } of documents) {
    if (!resource.endsWith('assumeRolePolicy')) continue;
    for (const { Principal, Condition } of own) {
      assert.deepEqual(Object.keys(Principal ?? {}), ['Service'], resource);
      const service = (Principal as Record<string, string>)['Service'];
      if (service === 'ec2.amazonaws.com') continue;
      assert.equal(Condition?.['StringEquals']?.['aws:SourceAccount'], '123456789012', resource);
    }
  }
});

test('a role of pods is assumed by the pods of one service account of this cluster', () => {
  const associations = allOf(
    primary.resources,
    'eks/podIdentityAssociation:PodIdentityAssociation',
  );
  for (const { name, inputs } of associations) {
    const trust = documents.find(({ resource }) => resource === `Role ${name} assumeRolePolicy`);
    const equal = trust?.statements[0]?.Condition?.['StringEquals'] ?? {};
    assert.equal(equal['aws:RequestTag/kubernetes-namespace'], inputs['namespace']);
    assert.equal(equal['aws:RequestTag/kubernetes-service-account'], inputs['serviceAccount']);
    assert.equal(
      equal['aws:RequestTag/eks-cluster-arn'],
      'arn:aws:eks:eu-central-1:123456789012:cluster/posthorn-prod',
    );
  }
});

test('statements of a policy have different Sids', () => {
  for (const { resource, statements: own } of documents) {
    const sids = own.map(({ Sid }) => Sid);
    assert.equal(new Set(sids).size, sids.length, resource);
    for (const sid of sids) assert.match(sid, /^[A-Za-z0-9]+$/, resource);
  }
});
