import * as aws from '@pulumi/aws';
import * as pulumi from '@pulumi/pulumi';
import type { PlatformContext } from '../../platform-context.ts';

export interface ImageRegistryArgs {
  context: PlatformContext;
  keyArn: pulumi.Input<string>;
  /** Where images are copied to, or empty. */
  recoveryRegion: string;
}

/** As many images as a year of several releases a day leaves behind, with room. */
const IMAGES_KEPT = 500;
const UNTAGGED_DAYS = 14;

/**
 * A registry has one replication configuration for all repositories of the account and region, so
 * every stack writes the same one. With the name of its environment, the last stack to run would
 * end the replication of the others.
 */
const REPLICATED_PREFIX = 'posthorn-';

/**
 * The repository of the image: a tag never moves to another image, and each push is scanned.
 */
export class ImageRegistry extends pulumi.ComponentResource {
  readonly repositoryUrl: pulumi.Output<string>;

  constructor(name: string, args: ImageRegistryArgs, opts: pulumi.ComponentResourceOptions) {
    super('posthorn:aws:ImageRegistry', name, {}, opts);
    const repository = new aws.ecr.Repository(
      name,
      {
        name: args.context.name,
        imageTagMutability: 'IMMUTABLE',
        imageScanningConfiguration: { scanOnPush: true },
        encryptionConfigurations: [{ encryptionType: 'KMS', kmsKey: args.keyArn }],
        forceDelete: false,
      },
      { parent: this },
    );
    new aws.ecr.LifecyclePolicy(
      name,
      { repository: repository.name, policy: lifecycle() },
      { parent: this },
    );
    if (args.recoveryRegion !== '') {
      const destination = {
        region: args.recoveryRegion,
        registryId: args.context.settings.accountId,
      };
      const filter = { filter: REPLICATED_PREFIX, filterType: 'PREFIX_MATCH' };
      new aws.ecr.ReplicationConfiguration(
        name,
        {
          replicationConfiguration: {
            rules: [{ destinations: [destination], repositoryFilters: [filter] }],
          },
        },
        // Not deleted with one stack: it serves the other stacks of the account too.
        { parent: this, retainOnDelete: true },
      );
    }
    this.repositoryUrl = repository.repositoryUrl;
    this.registerOutputs({ repositoryUrl: this.repositoryUrl });
  }
}

function lifecycle(): string {
  const expire = { type: 'expire' };
  return JSON.stringify({
    rules: [
      {
        rulePriority: 1,
        description: 'Images that lost their tag',
        selection: {
          tagStatus: 'untagged',
          countType: 'sinceImagePushed',
          countUnit: 'days',
          countNumber: UNTAGGED_DAYS,
        },
        action: expire,
      },
      {
        rulePriority: 2,
        description: 'The oldest beyond what anybody rolls back to',
        selection: { tagStatus: 'any', countType: 'imageCountMoreThan', countNumber: IMAGES_KEPT },
        action: expire,
      },
    ],
  });
}
