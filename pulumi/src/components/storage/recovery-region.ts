import * as aws from '@pulumi/aws';
import * as pulumi from '@pulumi/pulumi';
import { type PlatformContext, bucketName } from '../../platform-context.ts';
import { lockVault } from './backup.ts';
import { EgressAddresses } from '../network/egress-addresses.ts';
import { EncryptedBucket } from './encrypted-bucket.ts';
import { EncryptionKey } from './encryption-key.ts';
import { ImageRegistry } from '../images/image-registry.ts';

export interface RecoveryRegionArgs {
  context: PlatformContext;
  region: string;
}

/** The names by which a recovery site finds its copies. */
export const RECOVERY_KEY = 'recovery';
export const ARCHIVE_COPY = 'archive-copy';
const MONGODB_COPY = 'mongodb-copy';

/**
 * The resources in the other region that exist before a loss: a key, copies of buckets and images,
 * a vault for copies of backups, and the addresses from which a recovery site sends. All of them
 * outlive the region they were copied from. The provider for the recovery region.
 */
export class RecoveryRegion extends pulumi.ComponentResource {
  readonly region: string;
  readonly keyArn: pulumi.Output<string>;
  readonly archiveCopy: EncryptedBucket;
  readonly mongodbCopy: EncryptedBucket | undefined;
  readonly vaultArn: pulumi.Output<string>;
  readonly egress: EgressAddresses;

  constructor(name: string, args: RecoveryRegionArgs, opts: pulumi.ComponentResourceOptions) {
    super('posthorn:aws:RecoveryRegion', name, {}, opts);
    const { context, region } = args;
    const { settings } = context;
    this.region = region;
    this.keyArn = new EncryptionKey(
      `${name}-key`,
      {
        context,
        purpose: RECOVERY_KEY,
        region,
        description: 'Copies of archive, secrets and backups',
      },
      { parent: this },
    ).arn;
    this.archiveCopy = new EncryptedBucket(
      `${name}-archive`,
      {
        bucket: bucketName(context, ARCHIVE_COPY, region),
        keyArn: this.keyArn,
        expireDays: settings.archiveExpireDays,
        transitions: true,
      },
      { parent: this },
    );
    this.mongodbCopy =
      settings.mongodbMode === 'operator'
        ? new EncryptedBucket(
            `${name}-mongodb`,
            {
              bucket: bucketName(context, MONGODB_COPY, region),
              keyArn: this.keyArn,
              expireDays: settings.backupRetentionDays,
              transitions: false,
            },
            { parent: this },
          )
        : undefined;
    // A copy goes to a repository that is there; one that ECR makes itself would have tags that
    // move.
    new ImageRegistry(name, { context, keyArn: this.keyArn, recoveryRegion: '' }, { parent: this });
    const vault = new aws.backup.Vault(
      name,
      { name: `${context.name}-copies`, kmsKeyArn: this.keyArn, forceDestroy: false },
      { parent: this, protect: true },
    );
    lockVault(name, settings.environment, vault, { parent: this });
    this.vaultArn = vault.arn;
    this.egress = new EgressAddresses(
      `${name}-egress`,
      { name: `${context.name}-recovery`, count: 3 + settings.spareEgressAddresses },
      { parent: this },
    );
    this.registerOutputs({ addresses: this.egress.addresses });
  }
}
