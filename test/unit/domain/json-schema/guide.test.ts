/** Compares docs/guides/events/schemas.md with the code. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { formats } from '#domain/json-schema/keywords/formats.ts';
import { refusedKeywords } from '#domain/json-schema/keywords.ts';
import { limits } from '#domain/limits.ts';

const guide = readFileSync('docs/guides/events/schemas.md', 'utf8');

test('the guide lists every format that is checked, and no other', () => {
  const [, list = ''] = /Checked formats are ([^.]*)\./.exec(guide) ?? [];
  const listed = [...list.matchAll(/`([^`]+)`/g)].map(([, name]) => name);
  assert.deepEqual(new Set(listed), new Set(Object.keys(formats)));
});

test('the guide names every bound of a schema with its value', () => {
  const rows = guide.slice(guide.indexOf('## Bounds'));
  for (const bound of [
    `${limits.schemaBytesMax / 1024} KiB`,
    `${limits.schemaDepthMax} levels`,
    `${limits.schemaBranchesMax}`,
    limits.schemaScopeCopiesMax.toLocaleString('en'),
    `${limits.schemaPatternLengthMax.toLocaleString('en')} characters`,
    `${limits.schemaRegexInstructionsMax.toLocaleString('en')} RE2 instructions`,
    `${limits.dataDepthMax} levels`,
    `${limits.schemaStepsMax.toLocaleString('en')} steps`,
  ]) {
    assert.ok(rows.includes(`| ${bound}`), bound);
  }
});

test('the guide names every keyword that is rejected', () => {
  for (const keyword of Object.keys(refusedKeywords)) {
    if (keyword !== '$async') assert.ok(guide.includes(`\`${keyword}\``), keyword);
  }
});
