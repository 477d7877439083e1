import * as aws from '@pulumi/aws';
import * as pulumi from '@pulumi/pulumi';
import { type Statement, createRole, policyDocument } from '../../iam-policy.ts';
import type { PlatformContext } from '../../platform-context.ts';

export interface PodIdentityArgs {
  context: PlatformContext;
  clusterName: pulumi.Input<string>;
  namespace: string;
  serviceAccount: string;
  description: string;
  statements?: readonly Statement[];
  managedPolicyArns?: readonly string[];
  /** An add-on of EKS makes its association itself. */
  associate: boolean;
}

/**
 * A role for the pods of one service account in one namespace of this cluster, and for no other.
 */
export class PodIdentity extends pulumi.ComponentResource {
  readonly roleArn: pulumi.Output<string>;
  /** The policies of the role: a resource that uses the role depends on them. */
  readonly policies: readonly pulumi.Resource[];

  constructor(name: string, args: PodIdentityArgs, opts: pulumi.ComponentResourceOptions) {
    super('posthorn:aws:PodIdentity', name, {}, opts);
    const { accountId, region } = args.context.settings;
    const trust = policyDocument([
      {
        Sid: 'PodsAssumeRole',
        Effect: 'Allow',
        Principal: { Service: 'pods.eks.amazonaws.com' },
        Action: ['sts:AssumeRole', 'sts:TagSession'],
        Condition: {
          StringEquals: {
            'aws:SourceAccount': accountId,
            'aws:RequestTag/eks-cluster-arn': `arn:aws:eks:${region}:${accountId}:cluster/${args.context.name}`,
            'aws:RequestTag/kubernetes-namespace': args.namespace,
            'aws:RequestTag/kubernetes-service-account': args.serviceAccount,
          },
        },
      },
    ]);
    const { statements, managedPolicyArns } = args;
    const role = createRole(
      name,
      {
        description: args.description,
        trust,
        ...(statements !== undefined && { statements }),
        ...(managedPolicyArns !== undefined && { managedPolicyArns }),
      },
      { parent: this },
    );
    this.roleArn = role.arn;
    this.policies = role.policies;
    if (args.associate) {
      new aws.eks.PodIdentityAssociation(
        name,
        {
          clusterName: args.clusterName,
          namespace: args.namespace,
          serviceAccount: args.serviceAccount,
          roleArn: role.arn,
        },
        { parent: this, dependsOn: [...role.policies] },
      );
    }
    this.registerOutputs({ roleArn: this.roleArn });
  }
}
