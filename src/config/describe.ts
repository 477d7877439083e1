import { settingsSchema } from './schema.ts';
import type { SettingOptions } from './setting.ts';

type Setting = SettingOptions & { type?: string; anyOf?: { const: string }[] };

/**
 * Renders all settings as a Markdown table, in the order of the schema: the generated part of
 * `docs/configuration.md`.
 */
export function describeSettings(): string {
  const rows = Object.entries(settingsSchema.properties).map(([name, property]) =>
    row(name, property as unknown as Setting),
  );
  return ['| Setting | Default | Allowed | Meaning |', '| --- | --- | --- | --- |', ...rows].join(
    '\n',
  );
}

function row(name: string, setting: Setting): string {
  const secret = setting.secret === true ? ` Secret: may come from a file, \`${name}_FILE\`.` : '';
  const cells = [`\`${name}\``, defaultOf(setting), allowed(setting), setting.description + secret];
  return `| ${cells.join(' | ')} |`;
}

function defaultOf(setting: Setting): string {
  if (setting.default === undefined) return 'none';
  return setting.default === '' ? 'empty' : `\`${setting.default}\``;
}

function allowed({ type, anyOf, minimum, maximum, minLength, pattern }: Setting): string {
  if (anyOf !== undefined) return anyOf.map((option) => `\`${option.const}\``).join(', ');
  if (type === 'integer') return `${minimum} to ${maximum}`;
  // An unescaped pipe would end the cell.
  if (pattern !== undefined) return `\`${pattern.replaceAll('|', '\\|')}\``;
  return minLength === undefined || minLength === 1 ? 'text' : `at least ${minLength} characters`;
}
