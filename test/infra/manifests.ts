import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { parseAllDocuments } from 'yaml';
import { newestClusterVersion } from '../../pulumi/src/cluster-versions.ts';
import { projectRoot } from '../docs/project-files.ts';
import { schemasDirectory } from './schemas/make-schemas.ts';
import { toolPath, tools } from './tools.ts';

export interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: {
    name: string;
    namespace?: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
  };
  spec?: Record<string, unknown>;
  data?: Record<string, string>;
}

/** Charts are rendered for the version of a new cluster. */
export const kubernetesVersion = `${newestClusterVersion}.0`;

/**
 * Renders a chart of this repository with `helm template`.
 *
 * @throws Error with what helm says
 */
export async function render(
  chart: string,
  options: { release?: string; set?: string[]; values?: string[] } = {},
): Promise<Manifest[]> {
  const args = [
    'template',
    options.release ?? 'posthorn',
    chart,
    '--kube-version',
    kubernetesVersion,
  ];
  for (const value of options.set ?? []) args.push('--set', value);
  for (const file of options.values ?? []) args.push('--values', file);
  const { stdout } = await helm(args);
  return parseManifests(stdout);
}

export function helm(args: string[]): Promise<{ stdout: string; stderr: string }> {
  const limits = { cwd: projectRoot, maxBuffer: 1 << 26, timeout: 300_000 };
  return promisify(execFile)(toolPath(tools.helm), args, limits);
}

export function parseManifests(text: string): Manifest[] {
  const documents = parseAllDocuments(text);
  for (const { errors } of documents) assert.deepEqual(errors, []);
  return documents.map((document) => document.toJS() as Manifest | null).filter(isManifest);
}

function isManifest(document: Manifest | null): document is Manifest {
  return document !== null;
}

/** @throws Error that names each manifest and field that the schemas refuse */
export async function conform(manifests: Manifest[]): Promise<void> {
  const schemas = `${schemasDirectory()}/{{ .ResourceKind }}_{{ .Group }}_{{ .ResourceAPIVersion }}.json`;
  const args = ['-strict', '-schema-location', schemas, '-'];
  const ended = promisify(execFile)(toolPath(tools.kubeconform), args, { timeout: 60_000 });
  // JSON is valid YAML.
  const text = manifests.map((manifest) => JSON.stringify(manifest)).join('\n---\n');
  ended.child.stdin?.end(text);
  await ended.catch((error: unknown) => {
    throw new Error((error as { stdout: string }).stdout || String(error));
  });
}

/** Returns the value at a path of keys and indexes, or undefined if there is none. */
export function at(value: unknown, ...path: (string | number)[]): unknown {
  let here = value;
  for (const key of path) here = (here as Record<string | number, unknown> | undefined)?.[key];
  return here;
}

/** Returns the only manifest of this kind and name. */
export function only(manifests: Manifest[], kind: string, name: string): Manifest {
  const found = manifests.filter((one) => one.kind === kind && one.metadata.name === name);
  assert.equal(found.length, 1, `${kind} ${name}: there are ${found.length}`);
  return found[0] as Manifest;
}

/** Returns the pod templates of Deployments, Rollouts and Jobs. */
export function podTemplates(manifests: Manifest[]): { name: string; kind: string; pod: object }[] {
  return manifests
    .filter(({ kind }) => ['Deployment', 'Rollout', 'Job', 'StatefulSet'].includes(kind))
    .map(({ kind, metadata, spec }) => ({
      kind,
      name: metadata.name,
      pod: at(spec, 'template', 'spec') as object,
    }));
}
