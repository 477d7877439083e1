/**
 * Argo CD outside of the cluster: the repository server with its cache and the controller, without
 * a web interface or single sign-on.
 */
import { chmod, mkdir, readdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parse } from 'yaml';
import { findFreePort } from '#src/embedded/free-port.ts';
import { ServerProcess } from '#src/embedded/server-process.ts';
import { projectText } from '../../../docs/project-files.ts';
import type { Manifest } from '../../manifests.ts';
import { type Tool, toolPath, tools } from '../../tools.ts';
import { argoTools } from '../cluster-tools.ts';
import type { ControlPlane } from '../control-plane.ts';
import type { KubeApi } from '../kube-api.ts';

export interface ArgoCd {
  /** Returns the last output of programs that exited without being stopped. */
  faults(): string[];
  stop(): Promise<void>;
}

/**
 * @param options.dir a folder for the files of its parts; the caller removes it after the stop
 * @param options.charts the address of a chart repository whose certificate is not verified
 */
export async function startArgoCd(
  plane: ControlPlane,
  options: { dir: string; charts: string },
): Promise<ArgoCd> {
  const { dir, charts } = options;
  await configure(plane.api, charts);
  const env = await environmentOf(plane, dir);
  const started: ServerProcess[] = [];
  const stop = async (): Promise<void> => {
    for (const server of started.toReversed()) await server.kill('SIGKILL');
    await openFolders(join(dir, '_argocd-repo'));
  };
  // Starts one program of the binary, which selects it by the name in its arguments.
  const start = async (tool: Tool, name: string, args: string[]): Promise<void> => {
    const pairs = Object.entries({ ...env, ARGOCD_BINARY_NAME: name });
    const launcher = ['env', ...pairs.map((pair) => pair.join('='))];
    started.push(await ServerProcess.spawn({ name, binary: toolPath(tool), args, launcher }));
  };
  const [redis, repoServer] = [await findFreePort(), await findFreePort()];
  try {
    const ofRedis = [`--port ${redis}`, '--bind 127.0.0.1', `--dir ${dir}`].join(' ').split(' ');
    await start(argoTools.redis, 'redis', [...ofRedis, '--save', '']);
    await start(argoTools.argocd, 'argocd-repo-server', [
      '--address=127.0.0.1',
      `--port=${repoServer}`,
      '--metrics-address=127.0.0.1',
      `--metrics-port=${await findFreePort()}`,
      `--redis=127.0.0.1:${redis}`,
      '--disable-tls',
      '--client-ca-path=',
      // A new commit is seen at the next refresh.
      '--revision-cache-expiration=1s',
    ]);
    await start(argoTools.argocd, 'argocd-application-controller', [
      `--kubeconfig=${plane.kubeconfig}`,
      '--namespace=argocd',
      `--redis=127.0.0.1:${redis}`,
      `--repo-server=127.0.0.1:${repoServer}`,
      '--repo-server-plaintext',
      `--metrics-port=${await findFreePort()}`,
    ]);
  } catch (error) {
    await stop();
    throw error;
  }
  const faults = (): string[] =>
    started.filter(({ ended }) => ended).map(({ name, output }) => `${name}\n${output}`);
  return { faults, stop };
}

async function environmentOf(plane: ControlPlane, dir: string): Promise<Record<string, string>> {
  for (const folder of ['keys', 'tls', 'ssh', 'plugins']) await mkdir(join(dir, folder));
  // Argo CD runs this for each commit, even if it requires no signatures. The version in the image
  // prints nothing for an unsigned commit.
  await writeFile(join(dir, 'git-verify-wrapper.sh'), '#!/bin/sh\n', { mode: 0o755 });
  return {
    // `https://kubernetes.default.svc` is the cluster of this kubeconfig file.
    ARGOCD_FAKE_IN_CLUSTER: 'true',
    KUBECONFIG: plane.kubeconfig,
    ARGOCD_GPG_ENABLED: 'false',
    ARGOCD_GNUPGHOME: join(dir, 'keys'),
    ARGOCD_TLS_DATA_PATH: join(dir, 'tls'),
    ARGOCD_SSH_DATA_PATH: join(dir, 'ssh'),
    ARGOCD_PLUGINSOCKFILEPATH: join(dir, 'plugins'),
    HOME: dir,
    TMPDIR: dir,
    PATH: [dir, dirname(toolPath(tools.helm)), process.env['PATH']].join(':'),
  };
}

/** Creates the objects of Argo CD's chart and server, with the settings of argocd/install. */
async function configure(api: KubeApi, charts: string): Promise<void> {
  const { configs } = parse(projectText('argocd/install/values.yaml')) as {
    configs: { cm: Record<string, string> };
  };
  const metadataOf = (name: string) => ({
    name,
    namespace: 'argocd',
    labels: { 'app.kubernetes.io/part-of': 'argocd' },
  });
  await api.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'argocd' } });
  const metadata = metadataOf('argocd-cm');
  await api.apply({ apiVersion: 'v1', kind: 'ConfigMap', metadata, data: configs.cm });
  const ofSecret = metadataOf('argocd-secret');
  await api.apply({ apiVersion: 'v1', kind: 'Secret', metadata: ofSecret });
  const labels = { 'argocd.argoproj.io/secret-type': 'repository' };
  const ofCharts: Manifest & { stringData: Record<string, string> } = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'charts', namespace: 'argocd', labels },
    stringData: { type: 'helm', name: 'charts', url: charts, insecure: 'true' },
  };
  await api.apply(ofCharts);
  await api.apply({
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'AppProject',
    metadata: { name: 'default', namespace: 'argocd' },
    spec: {
      sourceRepos: ['*'],
      destinations: [{ server: '*', namespace: '*' }],
      clusterResourceWhitelist: [{ group: '*', kind: '*' }],
    },
  });
}

/** Makes the checkouts of the repository server listable, so that they can be removed. */
async function openFolders(path: string): Promise<void> {
  await chmod(path, 0o700);
  for (const name of await readdir(path)) await chmod(join(path, name), 0o700);
}
