import * as pulumi from '@pulumi/pulumi';
import type { Statement } from '../../iam-policy.ts';
import type { PlatformContext } from '../../platform-context.ts';
import type { Cluster } from './cluster.ts';
import { PodIdentity } from './pod-identity.ts';

export interface LoadBalancerIdentityArgs {
  context: PlatformContext;
  cluster: Cluster;
  vpcArn: pulumi.Input<string>;
}

/** The tag with which the controller marks its own resources. */
const CLUSTER_TAG = 'elbv2.k8s.aws/cluster';

/**
 * What the AWS Load Balancer Controller may do: balancers that carry the name of this cluster, and
 * rules of security groups in this VPC. It has no say over firewalls (WAF, Shield): these options
 * of its chart have to be off.
 */
export class LoadBalancerIdentity extends pulumi.ComponentResource {
  readonly roleArn: pulumi.Output<string>;

  constructor(name: string, args: LoadBalancerIdentityArgs, opts: pulumi.ComponentResourceOptions) {
    super('posthorn:aws:LoadBalancerIdentity', name, {}, opts);
    const { context, cluster } = args;
    this.roleArn = new PodIdentity(
      name,
      {
        context,
        clusterName: cluster.name,
        namespace: 'kube-system',
        serviceAccount: 'aws-load-balancer-controller',
        description: 'Load balancers in front of ingress and control',
        statements: [
          LOOKS,
          serviceRole(context.settings.accountId),
          ...balancers(context),
          ...securityGroups(context, args.vpcArn),
        ],
        associate: true,
      },
      { parent: this },
    ).roleArn;
    this.registerOutputs({ roleArn: this.roleArn });
  }
}

const LOOKS: Statement = {
  Sid: 'BalancerLooks',
  Effect: 'Allow',
  Action: [
    'acm:DescribeCertificate',
    'acm:ListCertificates',
    'ec2:DescribeAccountAttributes',
    'ec2:DescribeAddresses',
    'ec2:DescribeAvailabilityZones',
    'ec2:DescribeInstances',
    'ec2:DescribeInternetGateways',
    'ec2:DescribeNetworkInterfaces',
    'ec2:DescribeRouteTables',
    'ec2:DescribeSecurityGroups',
    'ec2:DescribeSubnets',
    'ec2:DescribeTags',
    'ec2:DescribeVpcs',
    'ec2:GetSecurityGroupsForVpc',
    'elasticloadbalancing:DescribeCapacityReservation',
    'elasticloadbalancing:DescribeListenerAttributes',
    'elasticloadbalancing:DescribeListenerCertificates',
    'elasticloadbalancing:DescribeListeners',
    'elasticloadbalancing:DescribeLoadBalancerAttributes',
    'elasticloadbalancing:DescribeLoadBalancers',
    'elasticloadbalancing:DescribeRules',
    'elasticloadbalancing:DescribeSSLPolicies',
    'elasticloadbalancing:DescribeTags',
    'elasticloadbalancing:DescribeTargetGroupAttributes',
    'elasticloadbalancing:DescribeTargetGroups',
    'elasticloadbalancing:DescribeTargetHealth',
  ],
  Resource: ['*'],
};

/**
 * The first load balancer of an account creates the service-linked role of ELB on behalf of its
 * caller. Without this statement that balancer is refused (AccessDenied).
 */
function serviceRole(accountId: string): Statement {
  const service = 'elasticloadbalancing.amazonaws.com';
  const role = `aws-service-role/${service}/AWSServiceRoleForElasticLoadBalancing`;
  return {
    Sid: 'BalancerServiceRole',
    Effect: 'Allow',
    Action: ['iam:CreateServiceLinkedRole'],
    Resource: [`arn:aws:iam::${accountId}:role/${role}`],
    Condition: { StringEquals: { 'iam:AWSServiceName': service } },
  };
}

const elb = (...names: string[]): string[] => names.map((name) => `elasticloadbalancing:${name}`);

function balancers({ name, settings }: PlatformContext): Statement[] {
  const at = `arn:aws:elasticloadbalancing:${settings.region}:${settings.accountId}`;
  const owners = [`${at}:loadbalancer/app/k8s-*`, `${at}:loadbalancer/net/k8s-*`];
  const groups = `${at}:targetgroup/k8s-*`;
  const listeners = ['listener', 'listener-rule'].flatMap((kind) => [
    `${at}:${kind}/app/k8s-*`,
    `${at}:${kind}/net/k8s-*`,
  ]);
  const requested = { [`aws:RequestTag/${CLUSTER_TAG}`]: name };
  const own = { StringEquals: { [`aws:ResourceTag/${CLUSTER_TAG}`]: name } };
  return [
    {
      Sid: 'BalancerCreates',
      Effect: 'Allow',
      Action: elb('CreateLoadBalancer', 'CreateTargetGroup'),
      Resource: [...owners, groups],
      Condition: { StringEquals: requested },
    },
    {
      Sid: 'BalancerMarks',
      Effect: 'Allow',
      Action: elb('AddTags'),
      Resource: [...owners, groups, ...listeners],
      Condition: {
        StringEquals: {
          ...requested,
          'elasticloadbalancing:CreateAction': [
            'CreateLoadBalancer',
            'CreateTargetGroup',
            'CreateListener',
            'CreateRule',
          ],
        },
      },
    },
    {
      Sid: 'BalancerChanges',
      Effect: 'Allow',
      Action: elb(
        'AddTags',
        'RemoveTags',
        'DeleteLoadBalancer',
        'DeleteTargetGroup',
        'DeregisterTargets',
        'ModifyLoadBalancerAttributes',
        'ModifyTargetGroup',
        'ModifyTargetGroupAttributes',
        'RegisterTargets',
        'SetIpAddressType',
        'SetSecurityGroups',
        'SetSubnets',
      ),
      Resource: [...owners, groups],
      Condition: own,
    },
    {
      Sid: 'BalancerListens',
      Effect: 'Allow',
      Action: elb(
        'AddListenerCertificates',
        'CreateListener',
        'CreateRule',
        'DeleteListener',
        'DeleteRule',
        'ModifyListener',
        'ModifyListenerAttributes',
        'ModifyRule',
        'RemoveListenerCertificates',
        'SetRulePriorities',
      ),
      Resource: [...owners, ...listeners],
      Condition: own,
    },
  ];
}

function securityGroups(
  { name, settings }: PlatformContext,
  vpcArn: pulumi.Input<string>,
): Statement[] {
  const at = `arn:aws:ec2:${settings.region}:${settings.accountId}`;
  const groups = `${at}:security-group/*`;
  const requested = { [`aws:RequestTag/${CLUSTER_TAG}`]: name };
  return [
    {
      Sid: 'BalancerGroupInVpc',
      Effect: 'Allow',
      Action: ['ec2:CreateSecurityGroup'],
      Resource: [vpcArn],
    },
    {
      Sid: 'BalancerGroupCreates',
      Effect: 'Allow',
      Action: ['ec2:CreateSecurityGroup'],
      Resource: [groups],
      Condition: { StringEquals: requested },
    },
    {
      Sid: 'BalancerGroupMarks',
      Effect: 'Allow',
      Action: ['ec2:CreateTags'],
      Resource: [groups],
      Condition: { StringEquals: { ...requested, 'ec2:CreateAction': 'CreateSecurityGroup' } },
    },
    {
      Sid: 'BalancerGroupRules',
      Effect: 'Allow',
      Action: ['ec2:AuthorizeSecurityGroupIngress', 'ec2:RevokeSecurityGroupIngress'],
      Resource: [groups],
      Condition: { ArnEquals: { 'ec2:Vpc': vpcArn } },
    },
    {
      Sid: 'BalancerGroupDeletes',
      Effect: 'Allow',
      Action: ['ec2:DeleteSecurityGroup'],
      Resource: [groups],
      Condition: { StringEquals: { [`aws:ResourceTag/${CLUSTER_TAG}`]: name } },
    },
  ];
}
