import { fastFormats, fullFormats } from 'ajv-formats/dist/formats.js';
import type { Format } from 'ajv';
import { compilePattern } from './pattern.ts';

/**
 * The checked formats: those of the specification and of OpenAPI that have a linear-time check. The
 * usual expression for `url` is quadratic, so URLs are parsed; `regex` means an expression that
 * `pattern` accepts. Others, like `idn-email`, are annotations.
 */
export const formats: Readonly<Record<string, Format>> = {
  ...pick(fullFormats, [
    'date',
    'time',
    'date-time',
    'iso-time',
    'iso-date-time',
    'duration',
    'uri-template',
    'hostname',
    'ipv4',
    'ipv6',
    'uuid',
    'json-pointer',
    'json-pointer-uri-fragment',
    'relative-json-pointer',
    'byte',
    'int32',
    'int64',
    'float',
    'double',
  ]),
  ...pick(fastFormats, ['uri', 'uri-reference', 'email']),
  url: isUrl,
  regex: isPattern,
};

function pick(from: Readonly<Record<string, Format>>, names: string[]): Record<string, Format> {
  return Object.fromEntries(names.map((name) => [name, from[name] as Format]));
}

function isUrl(text: string): boolean {
  return URL.canParse(text) && /^(?:https?|ftp):\/\//i.test(text);
}

function isPattern(text: string): boolean {
  try {
    compilePattern(text);
    return true;
  } catch {
    return false;
  }
}
