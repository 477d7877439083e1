import * as aws from '@pulumi/aws';
import * as pulumi from '@pulumi/pulumi';

type OneOrMore = pulumi.Input<string> | pulumi.Input<string>[];

/** A statement of an IAM policy. Its Sid is unique in this program: the reasons are kept by it. */
export interface Statement {
  Sid: string;
  Effect: 'Allow' | 'Deny';
  Principal?: '*' | Record<string, OneOrMore>;
  Action: string[];
  Resource?: pulumi.Input<string>[];
  Condition?: Record<string, Record<string, OneOrMore>>;
}

/** An IAM policy as its JSON. */
export function policyDocument(statements: readonly Statement[]): pulumi.Output<string> {
  return pulumi.jsonStringify({ Version: '2012-10-17', Statement: statements });
}

/** EC2 takes roles over for instances without naming an account: the one service without it. */
const WITHOUT_SOURCE = 'ec2.amazonaws.com';

/** Who may assume a role: a service of AWS, on behalf of this account only. */
export function serviceTrust(service: string, accountId: string): pulumi.Output<string> {
  return policyDocument([
    {
      Sid: 'ServiceAssumesRole',
      Effect: 'Allow',
      Principal: { Service: service },
      Action: ['sts:AssumeRole'],
      ...(service !== WITHOUT_SOURCE && {
        Condition: { StringEquals: { 'aws:SourceAccount': accountId } },
      }),
    },
  ]);
}

export interface RoleArgs {
  trust: pulumi.Output<string>;
  statements?: readonly Statement[];
  /** Policies that AWS writes and keeps: see `managed-policies.ts`. */
  managedPolicyArns?: readonly string[];
  description: string;
}

/** A role and its policies. */
export interface Role {
  arn: pulumi.Output<string>;
  /**
   * The policies of the role. A resource that gets the role depends on them: services check the
   * permissions immediately, and need them to clean up.
   */
  policies: readonly pulumi.Resource[];
}

/** Creates a role with at most one inline policy, so that both are deleted together. */
export function createRole(name: string, args: RoleArgs, opts: pulumi.CustomResourceOptions): Role {
  const policies: pulumi.Resource[] = [];
  const role = new aws.iam.Role(
    name,
    { assumeRolePolicy: args.trust, description: args.description },
    opts,
  );
  if (args.statements !== undefined) {
    const policy = policyDocument(args.statements);
    policies.push(
      new aws.iam.RolePolicy(name, { role: role.name, policy }, { ...opts, parent: role }),
    );
  }
  for (const policyArn of args.managedPolicyArns ?? []) {
    const policy = policyArn.slice(policyArn.lastIndexOf('/') + 1);
    policies.push(
      new aws.iam.RolePolicyAttachment(
        `${name}-${policy}`,
        { role: role.name, policyArn },
        { ...opts, parent: role },
      ),
    );
  }
  return { arn: role.arn, policies };
}
