import * as aws from '@pulumi/aws';
import * as pulumi from '@pulumi/pulumi';
import { policyDocument } from '../iam-policy.ts';
import type { PlatformContext } from '../platform-context.ts';
import type { Network } from './network/network.ts';

export interface AlertsArgs {
  context: PlatformContext;
  network: Network;
  backupVaultName: pulumi.Input<string>;
  logKeyArn: pulumi.Input<string>;
}

/** Shares of the budget, in percent, at which AWS sends an alert. */
const SPENT_PERCENT = [50, 80, 100] as const;

/** Metrics of jobs of AWS Backup without a copy. Expired: the job did not start in its window. */
const LOST_BACKUPS = {
  failed: 'NumberOfBackupJobsFailed',
  expired: 'NumberOfBackupJobsExpired',
  'copy-failed': 'NumberOfCopyJobsFailed',
} as const;

/**
 * Alerts by e-mail about facts that only the cloud sees: the cost, backups that were not made, and
 * NAT gateways without free ports. To the platform, the latter look like time-outs of receivers.
 */
export class Alerts extends pulumi.ComponentResource {
  constructor(name: string, args: AlertsArgs, opts: pulumi.ComponentResourceOptions) {
    super('posthorn:aws:Alerts', name, {}, opts);
    const topicArn = this.createTopic(name, args);
    args.network.natGatewayIds.forEach((natGatewayId, index) => {
      new aws.cloudwatch.MetricAlarm(
        `${name}-nat-ports-${index}`,
        {
          name: `${args.context.name}-nat-ports-${index}`,
          alarmDescription: 'A NAT gateway had no free port: webhooks could not be sent',
          namespace: 'AWS/NATGateway',
          metricName: 'ErrorPortAllocation',
          dimensions: { NatGatewayId: natGatewayId },
          statistic: 'Sum',
          period: 60,
          evaluationPeriods: 1,
          threshold: 0,
          comparisonOperator: 'GreaterThanThreshold',
          treatMissingData: 'notBreaching',
          alarmActions: [topicArn],
          okActions: [topicArn],
        },
        { parent: this },
      );
    });
    for (const [what, metricName] of Object.entries(LOST_BACKUPS)) {
      new aws.cloudwatch.MetricAlarm(
        `${name}-backup-${what}`,
        {
          name: `${args.context.name}-backup-${what}`,
          alarmDescription: 'A job of AWS Backup failed, expired or copied nothing',
          namespace: 'AWS/Backup',
          metricName,
          dimensions: { BackupVaultName: args.backupVaultName },
          statistic: 'Sum',
          period: 3600,
          evaluationPeriods: 1,
          threshold: 0,
          comparisonOperator: 'GreaterThanThreshold',
          treatMissingData: 'notBreaching',
          alarmActions: [topicArn],
        },
        { parent: this },
      );
    }
    this.createBudget(name, args.context);
    this.registerOutputs();
  }

  private createTopic(name: string, args: AlertsArgs): pulumi.Output<string> {
    const { context, logKeyArn } = args;
    const { accountId, alertEmails } = context.settings;
    const topic = new aws.sns.Topic(
      name,
      { name: `${context.name}-alerts`, kmsMasterKeyId: logKeyArn },
      { parent: this },
    );
    new aws.sns.TopicPolicy(
      name,
      {
        arn: topic.arn,
        policy: policyDocument([
          {
            Sid: 'AlarmsPublish',
            Effect: 'Allow',
            Principal: { Service: 'cloudwatch.amazonaws.com' },
            Action: ['sns:Publish'],
            Resource: [topic.arn],
            Condition: { StringEquals: { 'aws:SourceAccount': accountId } },
          },
        ]),
      },
      { parent: this },
    );
    alertEmails.forEach((endpoint, index) => {
      new aws.sns.TopicSubscription(
        `${name}-${index}`,
        { topic: topic.arn, protocol: 'email', endpoint },
        { parent: this },
      );
    });
    return topic.arn;
  }

  private createBudget(name: string, context: PlatformContext): void {
    const { alertEmails, monthlyBudgetUsd, site } = context.settings;
    const notify = (notificationType: string, threshold: number) => ({
      notificationType,
      threshold,
      thresholdType: 'PERCENTAGE',
      comparisonOperator: 'GREATER_THAN',
      subscriberEmailAddresses: [...alertEmails],
    });
    new aws.budgets.Budget(
      name,
      {
        name: `${context.name}-${site}`,
        budgetType: 'COST',
        timeUnit: 'MONTHLY',
        limitAmount: monthlyBudgetUsd,
        limitUnit: 'USD',
        notifications: [
          ...SPENT_PERCENT.map((percent) => notify('ACTUAL', percent)),
          notify('FORECASTED', 100),
        ],
      },
      { parent: this },
    );
  }
}
