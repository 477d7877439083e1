/** Compares the answers in the documents with those of the program. */
import assert from 'node:assert/strict';

/** A fenced block of a Markdown text. */
export interface Fence {
  /** The complete info string. */
  info: string;
  code: string;
}

/** Returns the fenced blocks of a text in order. */
export function fencesOf(text: string): Fence[] {
  const fences = text.matchAll(/^```(.*)\n([\s\S]*?)^```$/gm);
  return [...fences].map(([, info = '', code = '']) => ({ info, code }));
}

/** Values that differ in each run, and their placeholders. */
const VARYING: readonly [form: RegExp, name: string][] = [
  [/(?<=^|\/)([a-z]+)_[0-9a-z]{26}(?=$|\?)/, '$1_<id>'],
  [/^dlv_[\w-]{26}(?=$|\.\d+$)/, 'dlv_<id>'],
  [/(?<="timestamp":")\d{4}-\d\d-\d\dT[\d:.]+Z/, '<time>'],
  [/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/, '<time in seconds>'],
  [/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/, '<time in milliseconds>'],
  [/^[0-9a-f]{64}$/, '<sha256>'],
  [/^v1,[A-Za-z0-9+/]{43}=$/, '<signature>'],
];

/** Replaces values that differ in each run by placeholders. */
export function withoutVarying(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutVarying);
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(
      Object.entries(value).map(([key, member]) => [key, withoutVarying(member)]),
    );
  }
  if (typeof value !== 'string') return value;
  return VARYING.reduce((text, [form, name]) => text.replace(form, name), value);
}

/** Asserts the same members in the same order, apart from values that differ in each run. */
export function assertShown(shown: string, actual: unknown, what: string): void {
  const text = (value: unknown): string => JSON.stringify(withoutVarying(value), undefined, 2);
  assert.equal(text(JSON.parse(shown)), text(actual), what);
}
