/**
 * The parts of a cluster that decide: besides the API server the controllers, the scheduler, and
 * kwok in the place of the nodes' kubelets. Pods are placed for real, and only said to run.
 */
import { join } from 'node:path';
import type { ServerProcess } from '#src/embedded/server-process.ts';
import { type ApiServer, startApiServer } from './api-server.ts';
import { stagesFile } from './cluster-files.ts';
import { clusterTools } from './cluster-tools.ts';
import type { KubeApi } from './kube-api.ts';

export interface ControlPlane {
  readonly api: KubeApi;
  /** For programs that take a file. */
  readonly kubeconfig: string;
  /** In the place of the kubelets: while it stands still, no pod gets ready and none goes. */
  readonly kwok: ServerProcess;
  /** Nothing of it is left. */
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
      // No server: there is nothing that would ask a kubelet.
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
    // Nodes have the taints that a test gives them; nothing measures pods, so nothing scales them
    // by measures.
    controllers: '*,-node-lifecycle-controller,-horizontal-pod-autoscaler-controller',
  };
}
