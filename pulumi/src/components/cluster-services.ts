import type * as pulumi from '@pulumi/pulumi';
import type { PlatformContext } from '../platform-context.ts';
import type { Network } from './network.ts';
import { POOL_LABEL } from './node-groups.ts';

/** An entry of `platform` in the values of `argocd/apps`. */
interface PlatformApplication {
  namespace: string;
  repoURL: string;
  chart: string;
  version: string;
  values: Record<string, unknown>;
}

/**
 * The operators that only exist because the cluster is in AWS, for Argo CD to install: their values
 * are facts of the cloud, which Git cannot know.
 */
export function clusterServices(
  context: PlatformContext,
  network: Network,
): Record<string, pulumi.Input<PlatformApplication>> {
  const { name, settings } = context;
  const nodeSelector = { [POOL_LABEL]: 'system' };
  const namespace = 'kube-system';
  return {
    'aws-load-balancer-controller': network.vpcId.apply((vpcId) => ({
      namespace,
      repoURL: 'https://aws.github.io/eks-charts',
      chart: 'aws-load-balancer-controller',
      version: '1.13.4',
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
      namespace,
      repoURL: 'https://kubernetes.github.io/autoscaler',
      chart: 'cluster-autoscaler',
      version: '9.50.1',
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
