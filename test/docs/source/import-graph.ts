import { join, posix } from 'node:path';
import { sourceFiles } from '../project-files.ts';

/** The parts of `src/`: its folders. */
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
  'app',
  'main',
] as const;
export type Layer = (typeof layers)[number];

const below: Layer[] = ['domain', 'wire', 'config', 'infra'];

/**
 * The parts that each part may import besides itself. Planes never import each other: they
 * communicate over subjects.
 */
export const allowedImports: Record<Layer, readonly Layer[]> = {
  domain: [],
  wire: ['domain'],
  config: ['domain'],
  infra: ['domain', 'wire', 'config'],
  embedded: ['domain'],
  ingress: below,
  router: below,
  delivery: below,
  control: below,
  probe: below,
  app: [...below, 'embedded', 'ingress', 'router', 'delivery', 'control', 'probe'],
  main: [...below, 'app'],
};

export interface ImportEdge {
  file: string;
  from: Layer;
  to: Layer;
}

/** Returns every import in `src/` from one part to another, type imports included. */
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
 * Draws the import directions in `docs/architecture.md` as a Mermaid graph. Omits an arrow that a
 * longer path implies.
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
      if (!isImplied) lines.push(`  ${from} --> ${to}`);
    }
  }
  return ['```mermaid', 'graph TD', ...lines.toSorted(), '```'].join('\n');
}

function leadsTo(reach: Map<Layer, Set<Layer>>, from: Layer, to: Layer): boolean {
  const targets = [...(reach.get(from) ?? [])];
  return targets.includes(to) || targets.some((via) => leadsTo(reach, via, to));
}

function resolveImport(file: string, specifier: string): string {
  if (specifier.startsWith('.')) return posix.join(posix.dirname(file), specifier);
  return specifier.replace(/^#src\//, 'src/').replace(/^#/, 'src/');
}

/** @throws Error for a file in a folder that is not known: a new part gets its place here first */
function layerOf(path: string): Layer {
  const inSource = path.replace(/^src\//, '').replace(/\.ts$/, '');
  const layer = inSource.split('/', 1)[0] as Layer;
  if (!layers.includes(layer)) throw new Error(`${join(path)} is in no known part of src/`);
  return layer;
}
