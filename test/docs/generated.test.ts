import assert from 'node:assert/strict';
import { test } from 'node:test';
import { generatedParts, replacePart } from './generated.ts';
import { projectText } from './project-files.ts';

for (const { document, name, make } of generatedParts) {
  test(`${document}: ${name} says what the code says`, () => {
    const text = projectText(document);
    assert.equal(text, replacePart(text, name, make()), 'run `npm run docs`');
  });
}
