import type * as pulumi from '@pulumi/pulumi';
import { type ChartValues, chartImages, withCachedImages } from '../../chart-images.ts';
import type { PlatformContext } from '../../platform-context.ts';
import { imageCacheOf } from '../images/image-cache.ts';
import type { Network } from '../network/network.ts';
import { POOL_LABEL } from './node-groups.ts';

/**
 * An addition to an entry of `platform` in the values of `argocd/apps`: Git decides the version.
 */
interface PlatformFacts {
  values: ChartValues;
}

/** The charts whose values `argocd/apps` does not take from `platform`. */
const ELSEWHERE = ['argo-cd', 'nats'];

/**
 * Facts of the cloud that Git cannot know, as values of the operators that Argo CD installs: the
 * names of their images in the cache, and what the operators of AWS need.
 */
export function clusterServices(
  context: PlatformContext,
  network: Network,
): Record<string, pulumi.Input<PlatformFacts>> {
  const cache = imageCacheOf(context);
  const services: Record<string, pulumi.Input<PlatformFacts>> = {};
  for (const [chart, { images }] of Object.entries(chartImages)) {
    if (ELSEWHERE.includes(chart) || images.every(({ key }) => key === undefined)) continue;
    services[chart] = { values: withCachedImages(chart, cache, {}) };
  }
  return { ...services, ...cloudOperators(context, network, cache) };
}

/** The operators that exist only because the cluster is in AWS. */
function cloudOperators(
  { name, settings }: PlatformContext,
  network: Network,
  cache: string,
): Record<string, pulumi.Input<PlatformFacts>> {
  const nodeSelector = { [POOL_LABEL]: 'system' };
  const balancer = 'aws-load-balancer-controller';
  return {
    [balancer]: network.vpcId.apply((vpcId) => ({
      values: withCachedImages(balancer, cache, {
        clusterName: name,
        region: settings.region,
        // Pods cannot ask the metadata service for it.
        vpcId,
        serviceAccount: { create: true, name: balancer },
        enableShield: false,
        enableWaf: false,
        enableWafv2: false,
        nodeSelector,
      }),
    })),
    'cluster-autoscaler': {
      values: withCachedImages('cluster-autoscaler', cache, {
        cloudProvider: 'aws',
        awsRegion: settings.region,
        autoDiscovery: { clusterName: name },
        rbac: { serviceAccount: { create: true, name: 'cluster-autoscaler' } },
        extraArgs: { 'balance-similar-node-groups': true, expander: 'least-waste' },
        nodeSelector,
      }),
    },
  };
}
