import * as aws from '@pulumi/aws';
import * as pulumi from '@pulumi/pulumi';
import { policyDocument } from '../../iam-policy.ts';

export interface EncryptedBucketArgs {
  bucket: string;
  keyArn: pulumi.Input<string>;
  expireDays: number;
  /** Archives grow cold; backups are read back or deleted. */
  transitions: boolean;
}

/** After these days an old version, or one that was deleted, is gone. */
const NONCURRENT_DAYS = 30;

/**
 * A private bucket: versions kept, everything encrypted under our key, no public access, TLS 1.2 or
 * later only, and an expiry for every object.
 */
export class EncryptedBucket extends pulumi.ComponentResource {
  readonly bucket: pulumi.Output<string>;
  readonly arn: pulumi.Output<string>;
  readonly versioning: aws.s3.BucketVersioning;

  constructor(name: string, args: EncryptedBucketArgs, opts: pulumi.ComponentResourceOptions) {
    super('posthorn:aws:EncryptedBucket', name, {}, opts);
    const own = { parent: this };
    const made = new aws.s3.Bucket(
      name,
      { bucket: args.bucket, forceDestroy: false },
      { parent: this, protect: true, retainOnDelete: true },
    );
    const bucket = made.bucket;
    const accessBlock = new aws.s3.BucketPublicAccessBlock(
      name,
      {
        bucket,
        blockPublicAcls: true,
        blockPublicPolicy: true,
        ignorePublicAcls: true,
        restrictPublicBuckets: true,
      },
      own,
    );
    const ownership = { objectOwnership: 'BucketOwnerEnforced' };
    new aws.s3.BucketOwnershipControls(name, { bucket, rule: ownership }, own);
    this.versioning = new aws.s3.BucketVersioning(
      name,
      { bucket, versioningConfiguration: { status: 'Enabled' } },
      own,
    );
    new aws.s3.BucketServerSideEncryptionConfiguration(
      name,
      {
        bucket,
        rules: [
          {
            applyServerSideEncryptionByDefault: {
              sseAlgorithm: 'aws:kms',
              kmsMasterKeyId: args.keyArn,
            },
            // One call to KMS for many objects.
            bucketKeyEnabled: true,
          },
        ],
      },
      own,
    );
    this.createLifecycle(name, bucket, args);
    this.createPolicy(name, bucket, made.arn, accessBlock);
    this.bucket = bucket;
    this.arn = made.arn;
    this.registerOutputs({ bucket: this.bucket });
  }

  private createLifecycle(
    name: string,
    bucket: pulumi.Output<string>,
    args: EncryptedBucketArgs,
  ): void {
    const transitions = [
      { days: 30, storageClass: 'STANDARD_IA' },
      { days: 90, storageClass: 'GLACIER_IR' },
    ];
    new aws.s3.BucketLifecycleConfiguration(
      name,
      {
        bucket,
        rules: [
          {
            id: 'age',
            status: 'Enabled',
            filter: { prefix: '' },
            ...(args.transitions && { transitions }),
            expiration: { days: args.expireDays },
            noncurrentVersionExpiration: { noncurrentDays: NONCURRENT_DAYS },
            abortIncompleteMultipartUpload: { daysAfterInitiation: 7 },
          },
        ],
      },
      { parent: this, dependsOn: [this.versioning] },
    );
  }

  private createPolicy(
    name: string,
    bucket: pulumi.Output<string>,
    arn: pulumi.Output<string>,
    accessBlock: pulumi.Resource,
  ): void {
    const all = [arn, pulumi.interpolate`${arn}/*`];
    const policy = policyDocument([
      {
        Sid: 'DenyInsecureTransport',
        Effect: 'Deny',
        Principal: '*',
        Action: ['s3:*'],
        Resource: all,
        Condition: { Bool: { 'aws:SecureTransport': 'false' } },
      },
      {
        Sid: 'DenyOldTls',
        Effect: 'Deny',
        Principal: '*',
        Action: ['s3:*'],
        Resource: all,
        Condition: { NumericLessThan: { 's3:TlsVersion': '1.2' } },
      },
    ]);
    // S3 refuses two changes of a bucket's access at the same time.
    new aws.s3.BucketPolicy(name, { bucket, policy }, { parent: this, dependsOn: [accessBlock] });
  }
}
