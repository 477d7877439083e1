import type * as pulumi from '@pulumi/pulumi';
import type { EncryptedBucket } from './components/storage/encrypted-bucket.ts';

/** The data of a site: made by a primary one, found by one that takes over. */
export interface SiteData {
  /** Of archive, secrets, images and backups. */
  keyArn: pulumi.Output<string>;
  archiveBucket: pulumi.Output<string>;
  archiveArn: pulumi.Output<string>;
  /** The bucket itself, at the site that created it. */
  archive: EncryptedBucket | undefined;
  secretArn: pulumi.Output<string>;
  imageRepository: pulumi.Output<string>;
  /** Where backups are copied to. */
  copyVaultArn: pulumi.Output<string> | undefined;
  recoveryAddresses: pulumi.Output<string[]>;
  recoveryAllocationIds: pulumi.Output<string[]>;
  /** Copies the backups of a MongoDB in the cluster to the recovery region, if there is one. */
  protectMongodb: (bucket: EncryptedBucket | undefined) => void;
}
