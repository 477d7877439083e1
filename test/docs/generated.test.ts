import assert from 'node:assert/strict';
import { test } from 'node:test';
import { generatedParts, replacePart } from './generated.ts';
import { putChartSettings } from './chart-settings.ts';
import { projectText } from './project-files.ts';

for (const { document, name, make } of generatedParts) {
  test(`${document}: ${name} equals the output of the code`, () => {
    const text = projectText(document);
    assert.equal(text, replacePart(text, name, make()), 'run `npm run docs`');
  });
}

test('the schema of the chart has the same settings as the code', () => {
  const text = projectText('charts/posthorn/values.schema.json');
  assert.equal(text, putChartSettings(text), 'run `npm run docs`');
});
