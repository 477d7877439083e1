/** Event type schemas against the official test suite, except for documented differences. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileSchema } from '#domain/json-schema/compile-schema.ts';
import { validateSchema } from '#domain/json-schema/validate-schema.ts';
import { readJsonSchemaSuite } from './json-schema-suite.ts';

/** The reason for which a schema of the suite is rejected, as in docs/guides/events/schemas.md. */
const refusals: Record<string, RegExp> = {
  'a document that is true or false': /^must be an object/,
  'another dialect': /^must be absent or/,
  'a reference out of the document': /nothing is fetched$/,
  'a reference into an unknown keyword': /^leads to no schema in this document$/,
  'a field named __proto__': /^is a reserved name$/,
  'keywords of older drafts': /^is of an older draft/,
  'a pattern that RE2 does not have': /^is not a regular expression of RE2/,
};

/** `format` is asserted, which the mandatory part of the suite does not expect. */
const ASSERTED_FORMAT = 'format.json';

const groups = await readJsonSchemaSuite('draft2020-12', 'draft2020-12/optional');

test('the suite is complete', () => {
  const tests = groups.reduce((sum, group) => sum + group.tests.length, 0);
  assert.ok(tests >= 1415, String(tests));
});

for (const file of new Set(groups.map((group) => group.file))) {
  test(`${file} has the verdicts of the suite when the schema is accepted`, () => {
    const wrong: string[] = [];
    for (const { description, schema, tests } of groups.filter((group) => group.file === file)) {
      const faults = validateSchema(schema);
      if (faults.length > 0) {
        const known = Object.values(refusals);
        const unknown = faults.filter(({ detail }) => !known.some((each) => each.test(detail)));
        assert.deepEqual(unknown, [], description);
        continue;
      }
      const validate = compileSchema(schema as Record<string, unknown>);
      for (const each of tests) {
        const isValid = validate(each.data).length === 0;
        if (isValid !== each.valid) wrong.push(`${description}: ${each.description}`);
      }
    }
    const expected = file === ASSERTED_FORMAT ? wrong.filter(isAnnotationOnly) : [];
    assert.deepEqual(wrong, expected);
  });
}

function isAnnotationOnly(name: string): boolean {
  return name.endsWith('is only an annotation by default');
}

test('each documented reason for a refusal occurs with a schema of the suite', () => {
  const details = groups.flatMap(({ schema }) => validateSchema(schema).map((each) => each.detail));
  for (const [reason, detail] of Object.entries(refusals)) {
    assert.ok(
      details.some((each) => detail.test(each)),
      reason,
    );
  }
});
