/** The orders that AWS demands and that no reference between resources implies. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stacks } from '../stack-file.ts';
import { DependencyGraph } from './kit/dependency-graph.ts';
import { type Recorded, recordPlatform } from './kit/record-platform.ts';

const endsWith =
  (...types: string[]) =>
  ({ type }: Recorded): boolean =>
    types.some((end) => type.endsWith(`:${end}`));
const isRolePolicy = endsWith(
  'iam/rolePolicy:RolePolicy',
  'iam/rolePolicyAttachment:RolePolicyAttachment',
);
const isNode = endsWith('eks/nodeGroup:NodeGroup');
const isWay = endsWith('ec2/route:Route', 'ec2/routeTableAssociation:RouteTableAssociation');
const isAddOn =
  (...names: string[]) =>
  (resource: Recorded): boolean =>
    endsWith('eks/addon:Addon')(resource) && names.includes(resource.name);

interface Order {
  what: string;
  earlier: (resource: Recorded) => boolean;
  later: (resource: Recorded) => boolean;
  /** Pairs that the order does not concern; all concern it without this. */
  concerns?: (later: Recorded, earlier: Recorded) => boolean;
}

const ofBucket = (later: Recorded, earlier: Recorded): boolean =>
  later.inputs['bucket'] === earlier.inputs['bucket'];

/** Each with the error that AWS answers, or the harm, without it. */
const orders: readonly Order[] = [
  {
    // Gateway.NotAttached: "Network vpc-… has no Internet gateway attached".
    what: 'a NAT gateway waits for the Internet gateway',
    earlier: endsWith('ec2/internetGateway:InternetGateway'),
    later: endsWith('ec2/natGateway:NatGateway'),
  },
  {
    // NodeCreationFailure: a node that reaches no registry never joins.
    what: 'a node waits for its way to the Internet',
    earlier: isWay,
    later: isNode,
  },
  {
    what: 'a node waits for the add-ons of the network',
    earlier: isAddOn('vpc-cni', 'kube-proxy', 'eks-pod-identity-agent'),
    later: isNode,
  },
  {
    // An add-on with pods is DEGRADED until a node runs them, and times out.
    what: 'an add-on with Deployments waits for nodes',
    earlier: isNode,
    later: isAddOn('coredns', 'aws-ebs-csi-driver'),
  },
  {
    // A group that EKS creates has neither an end nor encryption.
    what: 'the cluster waits for its log group',
    earlier: (resource) =>
      endsWith('cloudwatch/logGroup:LogGroup')(resource) && resource.name.endsWith('-cluster'),
    later: endsWith('eks/cluster:Cluster'),
  },
  {
    // A pod that starts before its association gets no credentials until it restarts.
    what: 'the root application waits for every identity of a pod',
    earlier: endsWith('eks/podIdentityAssociation:PodIdentityAssociation'),
    later: endsWith('argoproj.io/v1alpha1:Application'),
  },
  {
    what: 'Argo CD waits for names, volumes and the image cache',
    earlier: (resource) =>
      isAddOn('coredns', 'aws-ebs-csi-driver')(resource) ||
      endsWith('ecr/pullThroughCacheRule:PullThroughCacheRule')(resource),
    later: endsWith('helm.sh/v3:Release'),
  },
  {
    // InvalidRequest: versioning has to be enabled on both buckets.
    what: 'replication and backups wait for the versions of a bucket',
    earlier: endsWith('s3/bucketVersioning:BucketVersioning'),
    later: (resource) =>
      endsWith('s3/bucketReplicationConfig:BucketReplicationConfig')(resource) ||
      (endsWith('backup/selection:Selection')(resource) && resource.name.endsWith('-buckets')),
    concerns: (later, earlier) =>
      ofBucket(later, earlier) ||
      [later.inputs['resources']]
        .flat()
        .includes(`arn:aws:s3:::${String(earlier.inputs['bucket'])}`),
  },
  {
    // OperationAborted: two changes of one bucket's access at a time.
    what: 'the policy of a bucket waits for its public access block',
    earlier: endsWith('s3/bucketPublicAccessBlock:BucketPublicAccessBlock'),
    later: endsWith('s3/bucketPolicy:BucketPolicy'),
    concerns: ofBucket,
  },
];

for (const stack of stacks) {
  const { resources } = await recordPlatform(stack, { mongodbMode: 'operator' });
  const graph = new DependencyGraph(resources);

  for (const { what, earlier, later, concerns = () => true } of orders) {
    const [before, after] = [resources.filter(earlier), resources.filter(later)];
    // A recovery site has no buckets of its own, and a standby no application.
    if (before.length === 0 || after.length === 0) {
      assert.equal(stack, 'prod-recovery', what);
      continue;
    }
    test(`${stack}: ${what}`, () => {
      let pairs = 0;
      for (const one of after) {
        for (const other of before.filter((resource) => concerns(one, resource))) {
          pairs += 1;
          assert.ok(graph.waits(one, other), `${one.name} waits for ${other.name}`);
        }
      }
      assert.ok(pairs > 0);
    });
  }

  // EKS, AWS Backup and flow logs check the permissions of a role when they get it, and a role that
  // loses its policies first cannot clean up.
  test(`${stack}: a resource that uses a role waits for every policy of the role`, () => {
    let uses = 0;
    for (const role of resources.filter(endsWith('iam/role:Role'))) {
      const policies = resources.filter(
        (resource) => isRolePolicy(resource) && graph.refers(resource, role),
      );
      assert.ok(policies.length > 0, role.name);
      const users = resources.filter(
        (resource) => !isRolePolicy(resource) && graph.refers(resource, role),
      );
      for (const user of users) {
        uses += 1;
        for (const policy of policies) {
          assert.ok(graph.waits(user, policy), `${user.type} ${user.name}: ${policy.name}`);
        }
      }
    }
    assert.ok(uses >= 8, `${uses} uses of roles`);
  });
}
