import assert from 'node:assert/strict';
import { test } from 'node:test';
import { projectFiles, projectText } from './project-files.ts';

const HEADINGS = [
  'Context',
  'Decision',
  'Consequences',
  'Rejected',
  'How we would notice that we were wrong',
];

const records = projectFiles('docs/adr/[0-9]*.md').map(({ path, text }) => {
  const file = path.slice('docs/adr/'.length);
  const title = /^# (.+)$/m.exec(text)?.[1] ?? '';
  const status = /^Status: (.+)$/m.exec(text)?.[1] ?? '';
  return { file, text, title, status };
});

test('the index of the decisions lists each, in order, with its title and status', () => {
  assert.ok(records.length >= 10, 'the records were found');
  const expected = records.map(
    ({ file, title, status }) => `| [${file.slice(0, 4)}](${file}) | ${title} | ${status} |`,
  );
  const index = projectText('docs/adr/README.md');
  const listed = index.split('\n').filter((line) => /^\| \[\d/.test(line));
  assert.deepEqual(listed, expected);
});

test('decisions are numbered in order, each once, and have the parts of the template', () => {
  records.forEach(({ file, text, status }, index) => {
    assert.notEqual(file.slice(0, 4), records[index - 1]?.file.slice(0, 4), file);
    assert.match(file, /^\d{4}-[a-z0-9-]+\.md$/);
    assert.match(status, /^(accepted|superseded by \d{4})$/, file);
    assert.match(text, /^Date: \d{4}-\d\d-\d\d$/m, file);
    const headings = [...text.matchAll(/^## (.+)$/gm)].map(([, heading]) => heading);
    assert.deepEqual(headings, HEADINGS, file);
  });
});

test('every decision that the source refers to exists', () => {
  const numbers = new Set(records.map(({ file }) => file.slice(0, 4)));
  for (const { path, text } of projectFiles('src/**/*.ts', 'test/**/*.ts')) {
    for (const [, number] of text.matchAll(/\bADR (\d{4})\b/g)) {
      assert.ok(numbers.has(number as string), `${path} speaks of ADR ${number}`);
    }
  }
});
