import type * as aws from '@pulumi/aws';
import * as pulumi from '@pulumi/pulumi';
import { BucketReplication } from './components/storage/bucket-replication.ts';
import { EncryptedBucket } from './components/storage/encrypted-bucket.ts';
import { EncryptionKey } from './components/storage/encryption-key.ts';
import { ImageRegistry } from './components/images/image-registry.ts';
import { RecoveryRegion } from './components/storage/recovery-region.ts';
import { SecretContainer } from './components/storage/secret-container.ts';
import { type PlatformContext, bucketName } from './platform-context.ts';
import type { SiteData } from './site-data.ts';

/**
 * Creates the data of a platform: archive, secrets, images, and the copies in the recovery region.
 * @param providerOf makes the provider of the recovery region
 */
export function createPrimaryData(
  context: PlatformContext,
  opts: pulumi.ComponentResourceOptions,
  providerOf: (region: string) => aws.Provider,
): SiteData {
  const { name, settings } = context;
  const { region, recoveryRegion } = settings;
  const recovery =
    recoveryRegion === ''
      ? undefined
      : new RecoveryRegion(
          `${name}-recovery`,
          { context, region: recoveryRegion },
          { providers: { aws: providerOf(recoveryRegion) } },
        );
  const keyArn = new EncryptionKey(
    `${name}-data`,
    { context, purpose: 'data', region, description: 'Archive, secrets, images and backups' },
    opts,
  ).arn;
  const archive = new EncryptedBucket(
    `${name}-archive`,
    {
      bucket: bucketName(context, 'archive', region),
      keyArn,
      expireDays: settings.archiveExpireDays,
      transitions: true,
    },
    opts,
  );
  const replicate = (purpose: string, source: EncryptedBucket, target?: EncryptedBucket): void => {
    if (recovery === undefined || target === undefined) return;
    new BucketReplication(
      `${name}-${purpose}`,
      {
        context,
        source,
        sourceKeyArn: keyArn,
        target,
        targetKeyArn: recovery.keyArn,
        targetRegion: recovery.region,
      },
      opts,
    );
  };
  replicate('archive', archive, recovery?.archiveCopy);
  const secret = new SecretContainer(name, { context, keyArn, recovery }, opts);
  const images = new ImageRegistry(name, { context, keyArn, recoveryRegion }, opts);
  return {
    keyArn,
    archiveBucket: archive.bucket,
    archiveArn: archive.arn,
    archive,
    secretArn: secret.arn,
    imageRepository: images.repositoryUrl,
    copyVaultArn: recovery?.vaultArn,
    recoveryAddresses: recovery?.egress.addresses ?? pulumi.output([]),
    recoveryAllocationIds: pulumi.all(recovery?.egress.allocationIds ?? []),
    protectMongodb: (bucket) => {
      if (bucket !== undefined) replicate('mongodb', bucket, recovery?.mongodbCopy);
    },
  };
}
