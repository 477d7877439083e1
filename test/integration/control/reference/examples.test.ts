import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { startControlPlane } from '../control-plane.ts';
import { type Json, bodiesOf, schemasOf } from './read-document.ts';

test('the document has an example of every body and parameter, and each is valid', async (t) => {
  const plane = await startControlPlane(t, { idle: true });
  const document = (await plane.call('GET', '/openapi.json', undefined, { key: '' })).body as Json;
  const validate = validatorOf(document);
  let bodies = 0;
  for (const { body, at } of bodiesOf(document)) {
    assert.ok('example' in body, `${at} has an example`);
    validate(`${at}/schema`, body['example']);
    bodies++;
  }
  assert.ok(bodies > 200, 'bodies and parameters were found');
  let examples = 0;
  for (const { schema, at } of schemasOf(document)) {
    for (const example of (schema['examples'] ?? []) as unknown[]) {
      validate(at, example);
      examples++;
    }
  }
  assert.ok(examples > 100, 'schemas with examples were found');
});

/** @returns asserts that the schema at a JSON pointer of the document accepts a value */
function validatorOf(document: Json): (at: string, value: unknown) => void {
  const ajv = formats.default(new Ajv2020({ strict: false, validateFormats: true }));
  // OpenAPI's formats for bytes say nothing of the text.
  ajv.addFormat('binary', true);
  ajv.addSchema(document, 'document');
  return (at, value) => {
    const validate = ajv.compile({ $ref: `document${uriFragment(at)}` });
    assert.ok(
      validate(value),
      `${at}: ${JSON.stringify(value)}: ${ajv.errorsText(validate.errors)}`,
    );
  };
}

function uriFragment(pointer: string): string {
  return pointer.split('/').map(encodeURIComponent).join('/').replace('%23', '#');
}
