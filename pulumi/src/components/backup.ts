import * as aws from '@pulumi/aws';
import * as pulumi from '@pulumi/pulumi';
import { createRole, serviceTrust } from '../iam-policy.ts';
import { managedPolicies } from '../managed-policies.ts';
import type { PlatformContext } from '../platform-context.ts';
import type { EncryptedBucket } from './encrypted-bucket.ts';

export interface BackupArgs {
  context: PlatformContext;
  keyArn: pulumi.Input<string>;
  /** Buckets that are backed up beside the tagged volumes. */
  buckets: readonly EncryptedBucket[];
  copyVaultArn: pulumi.Input<string> | undefined;
}

/** Shortest keep of a recovery point: nobody deletes it earlier, whatever credentials they took. */
export const LOCKED_DAYS = 7;

/**
 * A vault, and a plan that fills it each night with the volumes that carry the tag of this platform
 * and with the archive; each copied to the recovery region where there is one.
 */
export class Backup extends pulumi.ComponentResource {
  constructor(name: string, args: BackupArgs, opts: pulumi.ComponentResourceOptions) {
    super('posthorn:aws:Backup', name, {}, opts);
    const { context } = args;
    const { backupRetentionDays, accountId } = context.settings;
    const vault = new aws.backup.Vault(
      name,
      { name: context.name, kmsKeyArn: args.keyArn, forceDestroy: false },
      { parent: this, protect: true },
    );
    new aws.backup.VaultLockConfiguration(
      name,
      { backupVaultName: vault.name, minRetentionDays: LOCKED_DAYS },
      { parent: this },
    );
    const lifecycle = { deleteAfter: backupRetentionDays };
    const copyActions =
      args.copyVaultArn === undefined
        ? []
        : [{ destinationVaultArn: args.copyVaultArn, lifecycle }];
    const plan = new aws.backup.Plan(
      name,
      {
        name: context.name,
        rules: [
          {
            ruleName: 'daily',
            targetVaultName: vault.name,
            schedule: 'cron(0 2 * * ? *)',
            startWindow: 60,
            completionWindow: 480,
            lifecycle,
            copyActions,
          },
        ],
      },
      { parent: this },
    );
    const role = createRole(
      `${name}-backup`,
      {
        description: 'AWS Backup takes and restores volumes and buckets',
        trust: serviceTrust('backup.amazonaws.com', accountId),
        managedPolicyArns: [
          managedPolicies.backup.arn,
          managedPolicies.restore.arn,
          managedPolicies.backupS3.arn,
          managedPolicies.restoreS3.arn,
        ],
      },
      { parent: this },
    );
    new aws.backup.Selection(
      `${name}-volumes`,
      {
        name: `${context.name}-volumes`,
        planId: plan.id,
        iamRoleArn: role.arn,
        selectionTags: [{ type: 'STRINGEQUALS', key: 'posthorn-backup', value: context.name }],
      },
      { parent: this, dependsOn: [...role.policies] },
    );
    if (args.buckets.length > 0) {
      new aws.backup.Selection(
        `${name}-buckets`,
        {
          name: `${context.name}-buckets`,
          planId: plan.id,
          iamRoleArn: role.arn,
          resources: args.buckets.map(({ arn }) => arn),
        },
        // AWS Backup takes only buckets that keep versions.
        {
          parent: this,
          dependsOn: [...role.policies, ...args.buckets.map(({ versioning }) => versioning)],
        },
      );
    }
    this.registerOutputs();
  }
}
