import * as aws from '@pulumi/aws';
import * as pulumi from '@pulumi/pulumi';
import { ARCHIVE_COPY, RECOVERY_KEY } from './components/storage/recovery-region.ts';
import { secretName } from './components/storage/secret-container.ts';
import { type PlatformContext, bucketName } from './platform-context.ts';
import type { SiteData } from './site-data.ts';

/**
 * Finds, by their names and in the recovery region alone, the copies that the primary stack made:
 * it works when the primary region and its state are gone.
 */
export function findRecoveryData(context: PlatformContext, provider: aws.Provider): SiteData {
  const { accountId, region } = context.settings;
  const opts = { provider };
  const alias = `alias/${context.name}-${RECOVERY_KEY}`;
  const archive = bucketName(context, ARCHIVE_COPY, region);
  return {
    keyArn: aws.kms.getAliasOutput({ name: alias }, opts).targetKeyArn,
    archiveBucket: pulumi.output(archive),
    archiveArn: pulumi.output(`arn:aws:s3:::${archive}`),
    archive: undefined,
    secretArn: aws.secretsmanager.getSecretOutput({ name: secretName(context) }, opts).arn,
    imageRepository: pulumi.output(`${accountId}.dkr.ecr.${region}.amazonaws.com/${context.name}`),
    copyVaultArn: undefined,
    recoveryAddresses: pulumi.output([]),
    recoveryAllocationIds: pulumi.output([]),
    protectMongodb: () => undefined,
  };
}
