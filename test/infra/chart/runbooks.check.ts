/** The address of the runbooks that an alert shows. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { at, type Manifest } from '../manifests.ts';
import { tools, without } from '../tools.ts';
import { renderValues } from './values.ts';

const skip = without(tools.helm);

function runbooksOf(manifests: Manifest[]): string[] {
  return manifests
    .filter(({ kind }) => kind === 'PrometheusRule')
    .flatMap(({ spec }) => at(spec, 'groups') as { rules: object[] }[])
    .flatMap(({ rules }) => rules.filter((rule) => at(rule, 'alert') !== undefined))
    .map((rule) => at(rule, 'annotations', 'runbook_url') as string);
}

test('each alert links to its runbook at the configured address', { skip }, async () => {
  const base = 'https://wiki.example.com/posthorn';
  const before = runbooksOf(await renderValues({}));
  const after = runbooksOf(await renderValues({ monitoring: { runbookUrl: base } }));
  assert.ok(before.length > 15);
  const page = (url: string): string => url.split('/').at(-1) ?? '';
  assert.deepEqual(
    after,
    before.map((url) => `${base}/${page(url)}`),
  );
});

test('rejects a runbook address that ends with a slash', { skip }, async () => {
  const monitoring = { runbookUrl: 'https://wiki.example.com/' };
  await assert.rejects(renderValues({ monitoring }), /\/monitoring\/runbookUrl/);
});
