import { join, posix } from 'node:path';
import { sourceFiles } from './project-files.ts';

/** The parts of `src/`: its folders, and `app/service.ts`, the one word of `app` that the planes know. */
export const layers = [
  'domain',
  'wire',
  'config',
  'infra',
  'embedded',
  'ingress',
  'router',
  'delivery',
  'control',
  'probe',
  'app/service',
  'app',
  'main',
  'testkit',
] as const;
export type Layer = (typeof layers)[number];

const below: Layer[] = ['domain', 'wire', 'config', 'infra'];
const plane: Layer[] = [...below, 'app/service'];

/** What each part may import beside itself. Planes never import each other: they meet on subjects. */
export const allowedImports: Record<Layer, readonly Layer[]> = {
  domain: [],
  wire: ['domain'],
  config: ['domain'],
  infra: ['domain', 'wire', 'config'],
  embedded: ['domain'],
  ingress: plane,
  router: plane,
  delivery: plane,
  control: plane,
  probe: plane,
  'app/service': [],
  app: [...plane, 'embedded', 'ingress', 'router', 'delivery', 'control', 'probe'],
  main: [...below, 'app'],
  testkit: [...below, 'embedded', 'app'],
};

export interface ImportEdge {
  file: string;
  from: Layer;
  to: Layer;
}

/** Every import in `src/` that leads from one part to another, of types too. */
export function importEdges(): ImportEdge[] {
  const edges: ImportEdge[] = [];
  for (const { path, text } of sourceFiles()) {
    const from = layerOf(path);
    for (const [, specifier] of text.matchAll(/\b(?:from|import)\s*\(?\s*'([#.][^']+)'/g)) {
      const to = layerOf(resolveImport(path, specifier as string));
      if (to !== from) edges.push({ file: path, from, to });
    }
  }
  return edges;
}

/**
 * The picture of the import directions that `docs/architecture.md` holds, as a Mermaid graph. An arrow that
 * a longer way says already is left out.
 */
export function drawImports(): string {
  const reach = new Map<Layer, Set<Layer>>();
  for (const { from, to } of importEdges()) {
    const set = reach.get(from) ?? new Set();
    reach.set(from, set.add(to));
  }
  const lines: string[] = [];
  for (const [from, targets] of reach) {
    for (const to of targets) {
      const isImplied = [...targets].some((via) => via !== to && leadsTo(reach, via, to));
      if (!isImplied) lines.push(`  ${nodeOf(from)} --> ${nodeOf(to)}`);
    }
  }
  return ['```mermaid', 'graph TD', ...lines.toSorted(), '```'].join('\n');
}

function leadsTo(reach: Map<Layer, Set<Layer>>, from: Layer, to: Layer): boolean {
  const targets = [...(reach.get(from) ?? [])];
  return targets.includes(to) || targets.some((via) => leadsTo(reach, via, to));
}

function nodeOf(layer: Layer): string {
  return layer === 'app/service' ? 'service[app/service.ts]' : layer;
}

function resolveImport(file: string, specifier: string): string {
  if (specifier.startsWith('.')) return posix.join(posix.dirname(file), specifier);
  return specifier.replace(/^#src\//, 'src/').replace(/^#/, 'src/');
}

/** @throws Error for a file in a folder that is not known: a new part gets its place here first */
function layerOf(path: string): Layer {
  const inSource = path.replace(/^src\//, '').replace(/\.ts$/, '');
  if (inSource === 'app/service') return 'app/service';
  const layer = inSource.split('/', 1)[0] as Layer;
  if (!layers.includes(layer)) throw new Error(`${join(path)} is in no known part of src/`);
  return layer;
}
