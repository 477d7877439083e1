import * as aws from '@pulumi/aws';
import * as pulumi from '@pulumi/pulumi';
import { type Role, createRole, serviceTrust } from '../../iam-policy.ts';
import type { PlatformContext } from '../../platform-context.ts';
import type { EncryptedBucket } from './encrypted-bucket.ts';

export interface BucketReplicationArgs {
  context: PlatformContext;
  source: EncryptedBucket;
  sourceKeyArn: pulumi.Input<string>;
  target: EncryptedBucket;
  targetKeyArn: pulumi.Input<string>;
  targetRegion: string;
}

/** Only by way of S3 in a region. */
const through = (region: string) => ({
  StringEquals: { 'kms:ViaService': `s3.${region}.amazonaws.com` },
});

/**
 * Copies each new object to a bucket of another region, within 15 minutes, with figures of how far
 * behind it is. Deletions are not copied: a mistake here stays here.
 */
export class BucketReplication extends pulumi.ComponentResource {
  constructor(name: string, args: BucketReplicationArgs, opts: pulumi.ComponentResourceOptions) {
    super('posthorn:aws:BucketReplication', name, {}, opts);
    const role = this.createRole(name, args);
    new aws.s3.BucketReplicationConfig(
      name,
      {
        bucket: args.source.bucket,
        role: role.arn,
        rules: [
          {
            id: 'all',
            status: 'Enabled',
            priority: 1,
            filter: { prefix: '' },
            deleteMarkerReplication: { status: 'Disabled' },
            sourceSelectionCriteria: { sseKmsEncryptedObjects: { status: 'Enabled' } },
            destination: {
              bucket: args.target.arn,
              encryptionConfiguration: { replicaKmsKeyId: args.targetKeyArn },
              replicationTime: { status: 'Enabled', time: { minutes: 15 } },
              metrics: { status: 'Enabled', eventThreshold: { minutes: 15 } },
            },
          },
        ],
      },
      // S3 refuses replication between buckets that do not keep versions yet.
      {
        parent: this,
        dependsOn: [args.source.versioning, args.target.versioning, ...role.policies],
      },
    );
    this.registerOutputs();
  }

  private createRole(name: string, args: BucketReplicationArgs): Role {
    const { accountId, region } = args.context.settings;
    return createRole(
      name,
      {
        description: 'S3 copies a bucket to the recovery region',
        trust: serviceTrust('s3.amazonaws.com', accountId),
        statements: [
          {
            Sid: 'ReplicationRules',
            Effect: 'Allow',
            Action: ['s3:GetReplicationConfiguration', 's3:ListBucket'],
            Resource: [args.source.arn],
          },
          {
            Sid: 'ReplicateFromSource',
            Effect: 'Allow',
            Action: [
              's3:GetObjectVersionForReplication',
              's3:GetObjectVersionAcl',
              's3:GetObjectVersionTagging',
            ],
            Resource: [pulumi.interpolate`${args.source.arn}/*`],
          },
          {
            Sid: 'ReplicateToTarget',
            Effect: 'Allow',
            Action: ['s3:ReplicateObject', 's3:ReplicateTags'],
            Resource: [pulumi.interpolate`${args.target.arn}/*`],
          },
          {
            Sid: 'ReplicationOpens',
            Effect: 'Allow',
            Action: ['kms:Decrypt'],
            Resource: [args.sourceKeyArn],
            Condition: through(region),
          },
          {
            Sid: 'ReplicationSeals',
            Effect: 'Allow',
            Action: ['kms:Encrypt', 'kms:GenerateDataKey'],
            Resource: [args.targetKeyArn],
            Condition: through(args.targetRegion),
          },
        ],
      },
      { parent: this },
    );
  }
}
