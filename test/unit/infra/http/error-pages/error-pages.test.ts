import assert from 'node:assert/strict';
import { test } from 'node:test';
import { errorCatalogue, type ErrorCode } from '#domain/errors.ts';
import { errorSection, sectionsOf } from '#infra/http/error-pages/error-sections.ts';
import { renderSection } from '#infra/http/error-pages/render-section.ts';
import { problemType } from '#wire/problem.ts';

test('every code of the catalogue has its section, without the chapter that follows', () => {
  for (const code of Object.keys(errorCatalogue) as ErrorCode[]) {
    const section = errorSection(code);
    assert.match(section, /\nWhat to do: /, code);
    assert.doesNotMatch(section, /^##/m, code);
  }
});

test('sections end at the next heading', () => {
  const text = '# T\n\nx\n\n## A\n\n### ONE\n\n1\n\n### TWO\n\n2\n\n## B\n\nmore\n';
  assert.deepEqual(
    [...sectionsOf(text)],
    [
      ['ONE', '1'],
      ['TWO', '2'],
    ],
  );
});

test('a section becomes HTML: code, lists, and links to other codes alone', () => {
  const html = renderSection(
    'POSTHORN_X',
    '**400** It is `a < b`.\n\n- one\n- [two](#posthorn_y)\n\nSee [it](guides/x.md) <script>.',
  );
  assert.match(html, /<h1>POSTHORN_X<\/h1>/);
  assert.match(html, /<strong>400<\/strong> It is <code>a &lt; b<\/code>\./);
  assert.match(html, /<ul><li>one<\/li><li><a href="POSTHORN_Y">two<\/a><\/li><\/ul>/);
  assert.match(html, /<p>See it &lt;script&gt;\.<\/p>/);
});

test('the type of a problem is the path of its page', () => {
  assert.equal(problemType('POSTHORN_KEY_MISSING'), '/errors/POSTHORN_KEY_MISSING');
});
