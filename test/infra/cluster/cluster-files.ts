/**
 * Files for the start of a cluster: the CRDs of the operators, and the stages of nodes and pods.
 */
import { createHash } from 'node:crypto';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { goModuleFolder } from '../install-tool.ts';
import { at, type Manifest, parseManifests } from '../manifests.ts';
import { CRDS } from '../schemas/sources.ts';
import { toolsDirectory } from '../tools.ts';

const KWOK = 'sigs.k8s.io/kwok@v0.8.0';
const STAGES = 'kustomize/stage/{node/fast,node/heartbeat,pod/fast}/{node,pod}-*.yaml';
const TIMEOUT_MS = 300_000;

export function clusterFilesDirectory(): string {
  const of = JSON.stringify([CRDS, KWOK, STAGES]);
  const hash = createHash('sha256').update(of).digest('hex').slice(0, 12);
  return join(toolsDirectory(), `cluster-files-${hash}`);
}

/** The kinds of the operators that charts/ and argocd/ use. */
export const operatorKinds = [
  'Alertmanager',
  'AnalysisTemplate',
  'AppProject',
  'Application',
  'Certificate',
  'ClusterIssuer',
  'ClusterSecretStore',
  'ExternalSecret',
  'PerconaServerMongoDB',
  'PodMonitor',
  'Prometheus',
  'PrometheusRule',
  'Rollout',
  'ScaledObject',
  'ServiceMonitor',
] as const;

/**
 * Returns the definitions of these kinds.
 *
 * @throws Error that names the missing ones
 */
export function readCrds(kinds: readonly string[]): Manifest[] {
  const file = join(clusterFilesDirectory(), 'crds.json');
  const crds = JSON.parse(readFileSync(file, 'utf8')) as (Manifest & { spec: object })[];
  return kinds.map((kind) => {
    const found = crds.find(({ spec }) => at(spec, 'names', 'kind') === kind);
    if (found === undefined) throw new Error(`no operator defines the kind ${kind}`);
    const { apiVersion, metadata, spec } = found;
    // Labels may be templates of Helm, and no operator runs here that could convert versions.
    const own = { ...spec, conversion: undefined };
    return { apiVersion, kind: found.kind, metadata: { name: metadata.name }, spec: own };
  });
}

/**
 * For kwok's --config: nodes are ready immediately, pods run immediately, and pods of Jobs succeed.
 */
export const stagesFile = (): string => join(clusterFilesDirectory(), 'stages.yaml');

/**
 * Creates the files if they do not exist.
 *
 * @throws Error if a module cannot be fetched
 */
export async function makeClusterFiles(): Promise<void> {
  const place = clusterFilesDirectory();
  if (existsSync(place)) return;
  const dir = await mkdtemp(join(toolsDirectory(), '.fetch-'));
  try {
    const crds: Manifest[] = [];
    for (const [module, pattern] of Object.entries(CRDS)) {
      for (const text of await filesOf(module, pattern)) {
        crds.push(
          ...parseManifests(text).filter(({ kind }) => kind === 'CustomResourceDefinition'),
        );
      }
    }
    await writeFile(join(dir, 'crds.json'), JSON.stringify(crds));
    await writeFile(join(dir, 'stages.yaml'), (await filesOf(KWOK, STAGES)).join('\n---\n'));
    await rename(dir, place);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

async function filesOf(module: string, pattern: string): Promise<string[]> {
  const folder = await goModuleFolder(module, TIMEOUT_MS);
  const files = globSync(pattern, { cwd: folder }).toSorted();
  if (files.length === 0) throw new Error(`${module} has no ${pattern}`);
  return files.map((file) => readFileSync(join(folder, file), 'utf8'));
}
