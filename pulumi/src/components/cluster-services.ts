import type * as pulumi from '@pulumi/pulumi';
import type { PlatformContext } from '../platform-context.ts';
import type { Network } from './network.ts';
import { POOL_LABEL } from './node-groups.ts';

/**
 * What is added to an entry of `platform` in the values of `argocd/apps`: Git says which version.
 */
interface PlatformFacts {
  values: Record<string, unknown>;
}

/**
 * The operators that only exist because the cluster is in AWS, for Argo CD to install: facts of the
 * cloud among their values, which Git cannot know.
 */
export function clusterServices(
  context: PlatformContext,
  network: Network,
): Record<string, pulumi.Input<PlatformFacts>> {
  const { name, settings } = context;
  const nodeSelector = { [POOL_LABEL]: 'system' };
  return {
    'aws-load-balancer-controller': network.vpcId.apply((vpcId) => ({
      values: {
        clusterName: name,
        region: settings.region,
        // Pods cannot ask the metadata service for it.
        vpcId,
        serviceAccount: { create: true, name: 'aws-load-balancer-controller' },
        enableShield: false,
        enableWaf: false,
        enableWafv2: false,
        nodeSelector,
      },
    })),
    'cluster-autoscaler': {
      values: {
        cloudProvider: 'aws',
        awsRegion: settings.region,
        autoDiscovery: { clusterName: name },
        rbac: { serviceAccount: { create: true, name: 'cluster-autoscaler' } },
        extraArgs: { 'balance-similar-node-groups': true, expander: 'least-waste' },
        nodeSelector,
      },
    },
  };
}
