import assert from 'node:assert/strict';
import { test } from 'node:test';
import { coverageByFolder, type LineHits, readReport } from './check.ts';

const report = (path: string, ...hits: number[]): string =>
  [`SF:${path}`, ...hits.map((count, i) => `DA:${i + 1},${count}`), 'end_of_record'].join('\n');

function filesOf(...reports: string[]): Map<string, LineHits> {
  const files = new Map<string, LineHits>();
  for (const one of reports) readReport(one, files);
  return files;
}

test('a line is covered when one of several reports ran it', () => {
  const files = filesOf(report('src/a/x.ts', 1, 0, 0, 0), report('src/a/x.ts', 0, 7, 0, 0));
  assert.deepEqual(coverageByFolder(files, { src: 50 }), [
    { folder: 'src/a', percent: 50, floor: 50 },
  ]);
});

test('a folder has the floor of the nearest folder above it, and counts its own files only', () => {
  const files = filesOf(
    report('src/a/x.ts', 1),
    report('src/a/b/y.ts', 0),
    report('src/a/b/z.ts', 1, 1, 1),
    report('src/c/w.ts', 1, 0),
  );
  assert.deepEqual(coverageByFolder(files, { src: 10, 'src/a': 20, 'src/a/b': 30 }), [
    { folder: 'src/a', percent: 100, floor: 20 },
    { folder: 'src/a/b', percent: 75, floor: 30 },
    { folder: 'src/c', percent: 50, floor: 10 },
  ]);
});

test('rejects a folder without a floor', () => {
  assert.throws(() => coverageByFolder(filesOf(report('src/a/x.ts', 1)), {}), /has no floor/);
});
