import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allOf, onlyOf } from '../kit/find-resources.ts';
import { recordPlatform } from '../kit/record-platform.ts';
import { stacks } from '../../stack-file.ts';

test('every stack has a budget that notifies its owners of actual and forecast costs', async () => {
  const names = new Set<unknown>();
  for (const stack of stacks) {
    const { resources } = await recordPlatform(stack);
    const { inputs } = onlyOf(resources, 'budgets/budget:Budget');
    names.add(inputs['name']);
    assert.match(String(inputs['limitAmount']), /^\d+$/);
    assert.deepEqual([inputs['budgetType'], inputs['timeUnit']], ['COST', 'MONTHLY']);
    const notified = (inputs['notifications'] as Record<string, unknown>[]).map((notification) => {
      assert.deepEqual(notification['subscriberEmailAddresses'], ['platform@example.com']);
      assert.equal(notification['comparisonOperator'], 'GREATER_THAN');
      return [notification['notificationType'], notification['threshold']];
    });
    assert.deepEqual(notified, [
      ['ACTUAL', 50],
      ['ACTUAL', 80],
      ['ACTUAL', 100],
      ['FORECASTED', 100],
    ]);
  }
  assert.equal(names.size, stacks.length, 'budgets of one account have different names');
});

test('every NAT gateway has an alarm for ports that it could not allocate', async () => {
  const { resources } = await recordPlatform('prod');
  const topic = onlyOf(resources, 'sns/topic:Topic');
  assert.equal(topic.inputs['kmsMasterKeyId'], 'arn:aws:kms:::posthorn-prod-log');
  const subscriptions = allOf(resources, 'sns/topicSubscription:TopicSubscription');
  assert.deepEqual(
    subscriptions.map(({ inputs }) => inputs['endpoint']),
    ['platform@example.com'],
  );
  const alarms = allOf(resources, 'cloudwatch/metricAlarm:MetricAlarm').filter(
    ({ inputs }) => inputs['namespace'] === 'AWS/NATGateway',
  );
  assert.deepEqual(
    alarms.map(({ inputs }) => inputs['dimensions']),
    [0, 1, 2].map((index) => ({ NatGatewayId: `posthorn-prod-${index}-id` })),
  );
  for (const { inputs } of alarms) {
    assert.equal(inputs['metricName'], 'ErrorPortAllocation');
    assert.equal(inputs['threshold'], 0);
    assert.deepEqual(inputs['alarmActions'], ['arn:aws:sns:::posthorn-prod-alerts']);
  }
});

test('failed, expired and uncopied backups of the vault have alarms', async () => {
  const { resources } = await recordPlatform('prod');
  const vaults = allOf(resources, 'backup/vault:Vault').map(({ inputs }) => inputs['name']);
  const alarms = allOf(resources, 'cloudwatch/metricAlarm:MetricAlarm').filter(
    ({ inputs }) => inputs['namespace'] === 'AWS/Backup',
  );
  assert.deepEqual(
    alarms.map(({ inputs }) => inputs['metricName']),
    ['NumberOfBackupJobsFailed', 'NumberOfBackupJobsExpired', 'NumberOfCopyJobsFailed'],
  );
  for (const { inputs } of alarms) {
    const { BackupVaultName } = inputs['dimensions'] as { BackupVaultName: string };
    assert.equal(BackupVaultName, 'posthorn-prod');
    assert.ok(vaults.includes(BackupVaultName));
    assert.deepEqual(inputs['alarmActions'], ['arn:aws:sns:::posthorn-prod-alerts']);
  }
});
