import * as aws from '@pulumi/aws';
import * as pulumi from '@pulumi/pulumi';
import { createRole, serviceTrust } from '../../iam-policy.ts';
import { managedPolicies } from '../../managed-policies.ts';
import type { PlatformContext } from '../../platform-context.ts';
import type { EncryptedBucket } from './encrypted-bucket.ts';

export interface BackupArgs {
  context: PlatformContext;
  keyArn: pulumi.Input<string>;
  /** Buckets that are backed up in addition to the tagged volumes. */
  buckets: readonly EncryptedBucket[];
  copyVaultArn: pulumi.Input<string> | undefined;
}

/** Shortest retention, in days, that a locked vault takes. */
const LOCKED_DAYS = 7;

/**
 * Days until the lock of prod becomes final; AWS takes 3 or more. Until then it can be deleted.
 * https://docs.aws.amazon.com/aws-backup/latest/devguide/vault-lock.html
 */
const LOCK_GRACE_DAYS = 7;

/**
 * Locks a vault: no recovery point in it can be deleted before its retention ends. In prod the lock
 * is in compliance mode: after the grace time neither the account's root nor AWS can remove it.
 * Elsewhere it is in governance mode, so that a role with
 * `backup:DeleteBackupVaultLockConfiguration` can.
 */
export function lockVault(
  name: string,
  environment: string,
  vault: aws.backup.Vault,
  opts: pulumi.CustomResourceOptions,
): void {
  new aws.backup.VaultLockConfiguration(
    name,
    {
      backupVaultName: vault.name,
      minRetentionDays: LOCKED_DAYS,
      ...(environment === 'prod' && { changeableForDays: LOCK_GRACE_DAYS }),
    },
    // A final lock cannot be deleted: a run that tries only fails.
    { ...opts, retainOnDelete: environment === 'prod' },
  );
}

/**
 * A vault, and a plan that fills it each night with the volumes that carry the tag of this platform
 * and with the archive; each copied to the recovery region if there is one.
 */
export class Backup extends pulumi.ComponentResource {
  readonly vaultName: pulumi.Output<string>;

  constructor(name: string, args: BackupArgs, opts: pulumi.ComponentResourceOptions) {
    super('posthorn:aws:Backup', name, {}, opts);
    const { context } = args;
    const { backupRetentionDays, accountId } = context.settings;
    const vault = new aws.backup.Vault(
      name,
      { name: context.name, kmsKeyArn: args.keyArn, forceDestroy: false },
      { parent: this, protect: true },
    );
    this.vaultName = vault.name;
    lockVault(name, context.settings.environment, vault, { parent: this });
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
