import { describeSettings } from '#config/describe.ts';
import { storageTable } from '../../pulumi/storage-plan.ts';
import { describeChartValues } from './chart-values.ts';
import { drawImports } from './source/import-graph.ts';

/** The generated parts of documents, by the name of their marks. */
export const generatedParts = [
  { document: 'docs/configuration.md', name: 'settings', make: describeSettings },
  { document: 'docs/operations/values.md', name: 'chart values', make: describeChartValues },
  { document: 'docs/operations/sizing/capacity.md', name: 'storage', make: storageTable },
  { document: 'docs/architecture.md', name: 'import directions', make: drawImports },
] as const;

/** Values for the chart of NATS, and the number of shards that they are for. */
export const NATS_USERS = 'charts/nats/users.yaml';
export const NATS_USERS_SHARDS = 12;
export const NATS_MIRRORED = 'charts/nats/mirrored.yaml';

/**
 * Replaces the part of the document between the marks.
 *
 * @param command writes the part
 * @throws Error if the marks are missing
 */
export function replacePart(
  text: string,
  name: string,
  content: string,
  command = 'npm run docs',
): string {
  const begin = `<!-- generated: ${name} (${command}) -->`;
  const end = '<!-- end of what is generated -->';
  const from = text.indexOf(begin);
  const to = text.indexOf(end, from);
  if (from < 0 || to < 0) throw new Error(`there are no marks for "${name}"`);
  return `${text.slice(0, from + begin.length)}\n\n${content}\n\n${text.slice(to)}`;
}
