import { isMap, isScalar, parseDocument, type YAMLMap } from 'yaml';
import { projectText } from './project-files.ts';

interface Schema {
  $ref?: string;
  type?: string | string[];
  enum?: string[];
  minimum?: number;
  maximum?: number;
  properties?: Record<string, Schema>;
}

const root = (): Schema & { definitions: unknown } =>
  JSON.parse(projectText('charts/posthorn/values.schema.json')) as Schema & {
    definitions: unknown;
  };

/** Resolves a reference inside the schema. */
function resolve(schema: Schema | undefined, whole: unknown): Schema {
  if (schema?.$ref === undefined) return schema ?? {};
  let here = whole as Record<string, unknown>;
  for (const key of schema.$ref.split('/').slice(1)) here = here[key] as Record<string, unknown>;
  return here;
}

/** Describes the allowed values of one key in a few words. */
function allowed({ type, enum: choices, minimum, maximum }: Schema): string {
  if (choices !== undefined) return choices.map((one) => `\`${one || "''"}\``).join(', ');
  const name = [type ?? 'object']
    .flat()
    .join(' or ')
    .replace('array', 'list')
    .replace('object', 'map');
  if (minimum !== undefined && maximum !== undefined) return `${minimum} to ${maximum}`;
  return name;
}

const DEFAULT_LENGTH_MAX = 60;

/** Formats a default as JSON, or refers to the file when it is long. */
function shown(value: unknown): string {
  const text = typeof value === 'string' && value !== '' ? value : JSON.stringify(value);
  return text.length > DEFAULT_LENGTH_MAX ? 'see the file' : `\`${text.replaceAll('|', '\\|')}\``;
}

const joined = (comment: string | null | undefined): string =>
  (comment ?? '')
    .split('\n')
    .map((line) => line.trim())
    .join(' ')
    .trim()
    .replaceAll('|', '\\|')
    .replaceAll('<', '&lt;');

/** The rows of a map: every key whose value is not a map with keys of its own. */
function rowsOf(map: YAMLMap, schema: Schema, path: string[], whole: unknown): string[] {
  return map.items.flatMap((pair, i) => {
    const key = String(isScalar(pair.key) ? pair.key.value : pair.key);
    const own = (pair.key as { commentBefore?: string }).commentBefore;
    // The parser assigns the comment of a first key to its map. An earlier paragraph belongs to the
    // file.
    const first = i === 0 ? map.commentBefore?.split('\n\n').at(-1) : undefined;
    const comment = joined(own ?? first);
    const place = [...path, key];
    const described = resolve(schema.properties?.[key], whole);
    const { value } = pair;
    if (isMap(value) && value.items.length > 0 && described.properties !== undefined) {
      const heading = comment === '' ? [] : [`| \`${place.join('.')}\` | | | ${comment} |`];
      return [...heading, ...rowsOf(value, described, place, whole)];
    }
    const plain: unknown = (value as { toJSON?: () => unknown } | null)?.toJSON?.() ?? null;
    const cells = [`\`${place.join('.')}\``, shown(plain), allowed(described), comment];
    return [`| ${cells.join(' | ')} |`];
  });
}

/**
 * Formats the values of charts/posthorn as a table, from the comments of values.yaml and its
 * schema.
 */
export function describeChartValues(): string {
  const document = parseDocument(projectText('charts/posthorn/values.yaml'));
  const whole = root();
  const rows = rowsOf(document.contents as YAMLMap, whole, [], whole);
  return ['| Value | Default | Allowed | |', '| --- | --- | --- | --- |', ...rows].join('\n');
}
