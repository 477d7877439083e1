/** Runs etcd and kube-apiserver as children of the test, with their own folder and ports. */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findFreePort } from '#src/embedded/free-port.ts';
import { ServerProcess } from '#src/embedded/server-process.ts';
import { makeTempDir } from '#testkit/temp-dir.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { at, type Manifest } from '../manifests.ts';
import { type Tool, toolPath } from '../tools.ts';
import { readCrds } from './cluster-files.ts';
import { clusterTools } from './cluster-tools.ts';
import { KubeApi } from './kube-api.ts';

const READY_MS = 120_000;

export interface ApiServer {
  readonly api: KubeApi;
  /** The kubeconfig file, for programs that need one. */
  readonly kubeconfig: string;
  /** The folder of the server: `accounts.key`, `certificates/apiserver.crt`. */
  readonly path: string;
  /** Starts a further program that is stopped with the server. */
  start(tool: Tool, options: Record<string, string>): Promise<ServerProcess>;
  /** Stops all programs and removes all files. */
  stop(): Promise<void>;
}

/** @param kinds of the operators (`ScaledObject`) that it is to know */
export async function startApiServer(kinds: readonly string[]): Promise<ApiServer> {
  const dir = await makeTempDir();
  const started: ServerProcess[] = [];
  let api: KubeApi | undefined;
  const stop = async (): Promise<void> => {
    await api?.close();
    for (const server of started.toReversed()) await server.kill('SIGKILL');
    await dir.remove();
  };
  const start: ApiServer['start'] = async (tool, options) => {
    const args = Object.entries(options).map(([name, value]) => `--${name}=${value}`);
    const server = await ServerProcess.spawn({ name: tool.name, binary: toolPath(tool), args });
    started.push(server);
    return server;
  };
  try {
    const layout = await layOut(dir.path);
    await start(clusterTools.etcd, etcdOptions(layout));
    const server = await start(clusterTools.apiServer, apiServerOptions(layout));
    api = await connect(layout, server);
    await installCrds(api, kinds);
    const kubeconfig = await writeKubeconfig(layout);
    return { api, kubeconfig, path: dir.path, start, stop };
  } catch (error) {
    const output = started.map(({ name, output }) => `--- ${name}\n${output}`).join('\n');
    await stop();
    throw new Error(`the API server does not start\n${output}`, { cause: error });
  }
}

interface Layout {
  path: string;
  etcdPort: number;
  etcdPeerPort: number;
  port: number;
  token: string;
}

async function layOut(path: string): Promise<Layout> {
  const token = randomBytes(16).toString('hex');
  const { privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  await writeFile(join(path, 'accounts.key'), privateKey);
  await writeFile(join(path, 'tokens.csv'), `${token},checks,checks,system:masters\n`);
  await mkdir(join(path, 'certificates'));
  return {
    path,
    token,
    etcdPort: await findFreePort(),
    etcdPeerPort: await findFreePort(),
    port: await findFreePort(),
  };
}

function etcdOptions({ path, etcdPort, etcdPeerPort }: Layout): Record<string, string> {
  const client = `http://127.0.0.1:${etcdPort}`;
  const peer = `http://127.0.0.1:${etcdPeerPort}`;
  return {
    'data-dir': join(path, 'etcd'),
    'unsafe-no-fsync': 'true',
    'log-level': 'warn',
    'listen-client-urls': client,
    'advertise-client-urls': client,
    'listen-peer-urls': peer,
    'initial-advertise-peer-urls': peer,
    'initial-cluster': `default=${peer}`,
  };
}

function apiServerOptions({ path, etcdPort, port }: Layout): Record<string, string> {
  const key = join(path, 'accounts.key');
  return {
    'etcd-servers': `http://127.0.0.1:${etcdPort}`,
    'bind-address': '127.0.0.1',
    'secure-port': String(port),
    'cert-dir': join(path, 'certificates'),
    'service-cluster-ip-range': '10.96.0.0/16',
    'token-auth-file': join(path, 'tokens.csv'),
    'authorization-mode': 'RBAC',
    'service-account-key-file': key,
    'service-account-signing-key-file': key,
    'service-account-issuer': 'https://kubernetes.default.svc',
    // The controller that removes the taint of a new node does not run.
    'disable-admission-plugins': 'TaintNodesByCondition',
  };
}

async function connect(layout: Layout, server: ServerProcess): Promise<KubeApi> {
  const url = `https://127.0.0.1:${layout.port}`;
  const certificate = async (): Promise<string | false> => {
    const text = await readFile(join(layout.path, 'certificates/apiserver.crt'), 'utf8');
    // The file may exist while it is still empty.
    return text.trimEnd().endsWith('-----END CERTIFICATE-----') && text;
  };
  const what = 'the certificate of the API server';
  const ca = await waitUntil(certificate, { what, deadlineMs: READY_MS });
  const api = new KubeApi({ url, token: layout.token, ca });
  const ready = async (): Promise<boolean> => {
    if (server.ended) throw new Error('the API server has ended');
    return (await api.call('/readyz')).body === 'ok';
  };
  try {
    await waitUntil(ready, {
      what: 'the API server is ready',
      deadlineMs: READY_MS,
      intervalMs: 100,
    });
  } catch (error) {
    await api.close();
    throw error;
  }
  return api;
}

async function installCrds(api: KubeApi, kinds: readonly string[]): Promise<void> {
  const crds = readCrds(kinds);
  for (const crd of crds) await api.apply(crd);
  for (const crd of crds) {
    await waitUntil(
      async () => {
        const conditions = (await api.get(crd)).status?.['conditions'] as
          | { type: string; status: string }[]
          | undefined;
        return conditions?.some(({ type, status }) => type === 'Established' && status === 'True');
      },
      { what: `${crd.metadata.name} is established`, deadlineMs: READY_MS, intervalMs: 100 },
    );
    await waitUntil(() => describes(api, crd), {
      what: `${crd.metadata.name} is described`,
      deadlineMs: READY_MS,
      intervalMs: 100,
    });
  }
}

/**
 * The server publishes the OpenAPI of a definition later. kwok exits when one of its kinds is
 * missing there.
 */
async function describes(api: KubeApi, { spec }: Manifest): Promise<boolean> {
  const [group, plural] = [at(spec, 'group') as string, at(spec, 'names', 'plural') as string];
  const served = (at(spec, 'versions') as object[]).filter((one) => at(one, 'served') === true);
  for (const version of served) {
    const path = `/openapi/v3/apis/${group}/${at(version, 'name') as string}`;
    const { paths } = (await api.call(path)).body as { paths: object };
    if (!Object.keys(paths).some((one) => one.endsWith(`/${plural}`))) return false;
  }
  return true;
}

async function writeKubeconfig({ path, port, token }: Layout): Promise<string> {
  const file = join(path, 'kubeconfig.json');
  const cluster = {
    server: `https://127.0.0.1:${port}`,
    'certificate-authority': join(path, 'certificates/apiserver.crt'),
  };
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'checks', cluster }],
    users: [{ name: 'checks', user: { token } }],
    contexts: [{ name: 'checks', context: { cluster: 'checks', user: 'checks' } }],
    'current-context': 'checks',
  };
  await writeFile(file, JSON.stringify(config));
  return file;
}
