import * as aws from '@pulumi/aws';
import * as pulumi from '@pulumi/pulumi';
import { type Statement, policyDocument } from '../../iam-policy.ts';
import type { PlatformContext } from '../../platform-context.ts';

export interface EncryptionKeyArgs {
  context: PlatformContext;
  /** The last part of its alias, and of its name. */
  purpose: string;
  region: string;
  description: string;
  /** In addition to the account's own administration. */
  statements?: readonly Statement[];
}

/** A customer managed key that rotates each year, with its alias and its whole policy. */
export class EncryptionKey extends pulumi.ComponentResource {
  readonly arn: pulumi.Output<string>;

  constructor(name: string, args: EncryptionKeyArgs, opts: pulumi.ComponentResourceOptions) {
    super('posthorn:aws:EncryptionKey', name, {}, opts);
    const { accountId } = args.context.settings;
    const administration: Statement = {
      Sid: 'AccountAdministersKey',
      Effect: 'Allow',
      Principal: { AWS: `arn:aws:iam::${accountId}:root` },
      Action: ['kms:*'],
      Resource: ['*'],
    };
    const key = new aws.kms.Key(
      name,
      {
        description: args.description,
        enableKeyRotation: true,
        deletionWindowInDays: 30,
        policy: policyDocument([administration, ...(args.statements ?? [])]),
      },
      // Data that it encrypted is lost with it.
      { parent: this, protect: true },
    );
    new aws.kms.Alias(
      name,
      { name: `alias/${args.context.name}-${args.purpose}`, targetKeyId: key.keyId },
      { parent: this },
    );
    this.arn = key.arn;
    this.registerOutputs({ arn: this.arn });
  }
}

const USE_KEY = ['kms:Encrypt', 'kms:Decrypt', 'kms:ReEncrypt*', 'kms:GenerateDataKey*'];

/** The key of node volumes: the service that starts nodes has to be able to use it. */
export function volumeKeyStatements(accountId: string): Statement[] {
  const role =
    `arn:aws:iam::${accountId}:role/aws-service-role/` +
    'autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling';
  return [
    {
      Sid: 'AutoScalingUsesKey',
      Effect: 'Allow',
      Principal: { AWS: role },
      Action: [...USE_KEY, 'kms:DescribeKey'],
      Resource: ['*'],
    },
    {
      Sid: 'AutoScalingGrantsKey',
      Effect: 'Allow',
      Principal: { AWS: role },
      Action: ['kms:CreateGrant'],
      Resource: ['*'],
      Condition: { Bool: { 'kms:GrantIsForAWSResource': 'true' } },
    },
  ];
}

/** The key of logs and alerts: CloudWatch writes with it on its own. */
export function logKeyStatements(context: PlatformContext): Statement[] {
  const { accountId, region } = context.settings;
  const groups = [`/aws/eks/${context.name}/*`, `/posthorn/${context.name}/*`];
  return [
    {
      Sid: 'LogsUseKey',
      Effect: 'Allow',
      Principal: { Service: `logs.${region}.amazonaws.com` },
      Action: [...USE_KEY, 'kms:DescribeKey'],
      Resource: ['*'],
      Condition: {
        ArnLike: {
          'kms:EncryptionContext:aws:logs:arn': groups.map(
            (group) => `arn:aws:logs:${region}:${accountId}:log-group:${group}`,
          ),
        },
      },
    },
    {
      Sid: 'AlarmsUseKey',
      Effect: 'Allow',
      Principal: { Service: 'cloudwatch.amazonaws.com' },
      Action: ['kms:Decrypt', 'kms:GenerateDataKey*'],
      Resource: ['*'],
      Condition: { StringEquals: { 'aws:SourceAccount': accountId } },
    },
  ];
}
