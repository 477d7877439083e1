import assert from 'node:assert/strict';
import { existsSync, globSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { projectRoot } from '../project-files.ts';

const MOST_FILES = 15;
/** Folders that are one list: a part of it would be found nowhere else. */
const LISTS = new Map([
  ['docs/adr', 'decisions by number'],
  ['docs/operations/runbooks', 'a page for each alert'],
]);
/** Folders of tests whose subject is outside src. */
const OUTSIDE_SRC = ['bench', 'kit', 'loadtest'];

const filesOf = (pattern: string): string[] =>
  globSync(pattern, { cwd: projectRoot, exclude: ['**/node_modules', 'test/clients/*/**'] }).filter(
    (path) => !path.endsWith('/'),
  );

test(`a folder of source, tests or documents has at most ${MOST_FILES} files`, () => {
  const counts = new Map<string, number>();
  for (const path of filesOf('{src,test,docs,pulumi}/**/*.*')) {
    if (LISTS.has(dirname(path))) continue;
    counts.set(dirname(path), (counts.get(dirname(path)) ?? 0) + 1);
  }
  assert.ok(counts.size > 50, 'the folders were found');
  const tooLong = [...counts]
    .filter(([, count]) => count > MOST_FILES)
    .map(([folder, count]) => `${folder}: ${count} files; open a folder within it`);
  assert.deepEqual(tooLong, []);
});

test('unit and integration tests are in folders that mirror src', () => {
  const folders = new Set(filesOf('test/{unit,integration}/**/*.test.ts').map(dirname));
  assert.ok(folders.size > 50, 'the folders were found');
  const misplaced = [...folders].filter((folder) => {
    const path = folder.split('/').slice(2);
    return !OUTSIDE_SRC.includes(path[0] ?? '') && !existsSync(join(projectRoot, 'src', ...path));
  });
  assert.deepEqual(misplaced, []);
});
