/**
 * The deciding parts of a cluster: the API server, the controllers, the scheduler, and kwok in
 * place of the kubelets. Pods are really scheduled, but only reported as running.
 */
import { join } from 'node:path';
import type { ServerProcess } from '#src/embedded/server-process.ts';
import { type ApiServer, startApiServer } from './api-server.ts';
import { stagesFile } from './cluster-files.ts';
import { clusterTools } from './cluster-tools.ts';
import type { KubeApi } from './kube-api.ts';

export interface ControlPlane {
  readonly api: KubeApi;
  /** The kubeconfig file, for programs that need one. */
  readonly kubeconfig: string;
  /** Replaces the kubelets. While it is stopped, no pod becomes ready and none is removed. */
  readonly kwok: ServerProcess;
  /** Stops all programs and removes all files. */
  stop(): Promise<void>;
}

/**
 * @param kinds of the operators (`ScaledObject`) that it is to know
 * @param stages a file for kwok
 */
export async function startControlPlane(
  kinds: readonly string[],
  stages = stagesFile(),
): Promise<ControlPlane> {
  const server = await startApiServer(kinds);
  const { api, kubeconfig } = server;
  const stop = (): Promise<void> => server.stop();
  try {
    await server.start(clusterTools.controllerManager, controllerManagerOptions(server));
    const ofScheduler = { kubeconfig, 'leader-elect': 'false', 'secure-port': '0' };
    await server.start(clusterTools.scheduler, ofScheduler);
    const kwok = await server.start(clusterTools.kwok, {
      kubeconfig,
      config: stages,
      'manage-all-nodes': 'true',
      'node-lease-duration-seconds': '0',
      // kwok serves no kubelet API, because no client asks for it.
      'node-port': '0',
    });
    return { api, kubeconfig, kwok, stop };
  } catch (error) {
    await server.stop();
    throw error;
  }
}

function controllerManagerOptions({ path, kubeconfig }: ApiServer): Record<string, string> {
  return {
    kubeconfig,
    'leader-elect': 'false',
    'secure-port': '0',
    'service-account-private-key-file': join(path, 'accounts.key'),
    'root-ca-file': join(path, 'certificates/apiserver.crt'),
    // Nodes keep the taints that a test sets. No pod metrics exist, so no autoscaler acts on them.
    controllers: '*,-node-lifecycle-controller,-horizontal-pod-autoscaler-controller',
  };
}
