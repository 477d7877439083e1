import * as aws from '@pulumi/aws';
import * as pulumi from '@pulumi/pulumi';
import { upstreams } from '../../chart-images.ts';
import type { Statement } from '../../iam-policy.ts';
import type { PlatformContext } from '../../platform-context.ts';

/** After these days a cached image is deleted; the next pull copies it again. */
const CACHED_DAYS = 90;

/**
 * Begins the names of cached repositories. It differs from the prefix that is replicated to the
 * recovery region: that region has its own cache.
 */
const prefixOf = ({ name }: PlatformContext): string => `cache-${name}`;

/** Host and prefix of the cache, to put in front of the name of an image. */
export function imageCacheOf(context: PlatformContext): string {
  const { accountId, region } = context.settings;
  return `${accountId}.dkr.ecr.${region}.amazonaws.com/${prefixOf(context)}`;
}

/** Lets nodes fill the cache: the first pull of an image creates its repository and copies it. */
export function imageCacheStatement(context: PlatformContext): Statement {
  const { accountId, region } = context.settings;
  return {
    Sid: 'ImageCacheFills',
    Effect: 'Allow',
    Action: ['ecr:BatchImportUpstreamImage', 'ecr:CreateRepository'],
    Resource: [`arn:aws:ecr:${region}:${accountId}:repository/${prefixOf(context)}/*`],
  };
}

/**
 * Copies of the outside images that the platform runs, made by ECR at the first pull. Nodes cannot
 * read the buckets that some registries redirect to, see `chart-images.ts`.
 */
export class ImageCache extends pulumi.ComponentResource {
  constructor(name: string, context: PlatformContext, opts: pulumi.ComponentResourceOptions) {
    super('posthorn:aws:ImageCache', name, {}, opts);
    const own = { parent: this };
    const template = new aws.ecr.RepositoryCreationTemplate(
      name,
      {
        prefix: prefixOf(context),
        description: 'Repositories of the pull-through cache',
        appliedFors: ['PULL_THROUGH_CACHE'],
        // A tag of an outside registry may move, and the cache follows it.
        imageTagMutability: 'MUTABLE',
        encryptionConfigurations: [{ encryptionType: 'AES256' }],
        lifecyclePolicy: lifecycle(),
      },
      own,
    );
    const cached = Object.values(upstreams).filter(({ way }) => way === 'cache');
    const byPrefix = new Map(cached.map(({ prefix, url }) => [prefix, url]));
    for (const [prefix, upstreamRegistryUrl] of byPrefix) {
      new aws.ecr.PullThroughCacheRule(
        `${name}-${prefix}`,
        { ecrRepositoryPrefix: `${prefixOf(context)}/${prefix}`, upstreamRegistryUrl },
        { ...own, dependsOn: [template] },
      );
    }
    this.registerOutputs();
  }
}

function lifecycle(): string {
  const selection = {
    tagStatus: 'any',
    countType: 'sinceImagePushed',
    countUnit: 'days',
    countNumber: CACHED_DAYS,
  };
  const description = 'Copied again at the next pull';
  return JSON.stringify({
    rules: [{ rulePriority: 1, description, selection, action: { type: 'expire' } }],
  });
}
