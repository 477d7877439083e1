import * as aws from '@pulumi/aws';
import * as pulumi from '@pulumi/pulumi';
import { createRole, serviceTrust } from '../../iam-policy.ts';
import type { PlatformContext } from '../../platform-context.ts';

export interface FlowLogsArgs {
  context: PlatformContext;
  vpcId: pulumi.Input<string>;
  logKeyArn: pulumi.Input<string>;
}

/** Who talked to whom, accepted and refused, in an encrypted log group. */
export class FlowLogs extends pulumi.ComponentResource {
  constructor(name: string, args: FlowLogsArgs, opts: pulumi.ComponentResourceOptions) {
    super('posthorn:aws:FlowLogs', name, {}, opts);
    const { context } = args;
    const group = new aws.cloudwatch.LogGroup(
      `${name}-flows`,
      {
        name: `/posthorn/${context.name}/flows`,
        retentionInDays: context.settings.logRetentionDays,
        kmsKeyId: args.logKeyArn,
      },
      { parent: this },
    );
    const role = createRole(
      `${name}-flows`,
      {
        description: 'VPC flow logs write to their log group',
        trust: serviceTrust('vpc-flow-logs.amazonaws.com', context.settings.accountId),
        statements: [
          {
            Sid: 'FlowLogsWrite',
            Effect: 'Allow',
            Action: ['logs:CreateLogStream', 'logs:PutLogEvents', 'logs:DescribeLogStreams'],
            Resource: [group.arn, pulumi.interpolate`${group.arn}:*`],
          },
          {
            // Demanded by VPC flow logs before the first delivery; it has no resource level.
            Sid: 'FlowLogsLook',
            Effect: 'Allow',
            Action: ['logs:DescribeLogGroups'],
            Resource: ['*'],
          },
        ],
      },
      { parent: this },
    );
    new aws.ec2.FlowLog(
      name,
      {
        vpcId: args.vpcId,
        trafficType: 'ALL',
        maxAggregationInterval: 60,
        logDestinationType: 'cloud-watch-logs',
        logDestination: group.arn,
        iamRoleArn: role.arn,
      },
      { parent: this, dependsOn: [...role.policies] },
    );
    this.registerOutputs();
  }
}
