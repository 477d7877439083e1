import assert from 'node:assert/strict';
import { test } from 'node:test';
import { errorCatalogue } from '#domain/errors.ts';
import { projectText, sourceFiles } from './project-files.ts';

const codes = Object.keys(errorCatalogue).toSorted();

test('docs/errors.md has a section for each code, with its status and title, and no other', () => {
  const sections = new Map(
    projectText('docs/errors.md')
      .split(/^### /m)
      .slice(1)
      .map((section) => {
        const [heading = '', , statusLine = '', , ...rest] = section.split('\n');
        return [heading, { statusLine, text: rest.join('\n').trim() }];
      }),
  );
  assert.deepEqual([...sections.keys()].toSorted(), codes);
  for (const [code, [status, title]] of Object.entries(errorCatalogue)) {
    assert.equal(sections.get(code)?.statusLine, `**${status}** ${title}.`, code);
    assert.match(sections.get(code)?.text ?? '', /\nWhat to do: /, code);
  }
});

test('every code of the catalogue is used in the source', () => {
  const source = sourceFiles()
    .filter(({ path }) => path !== 'src/domain/errors.ts')
    .map(({ text }) => text)
    .join('\n');
  const unused = codes.filter((code) => !source.includes(`'${code}'`));
  assert.deepEqual(unused, []);
});
