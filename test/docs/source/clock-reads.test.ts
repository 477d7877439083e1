import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sourceFiles } from '../project-files.ts';

/** The only file that reads the clock. */
const READER = 'src/infra/system-clock.ts';
const READ = /\b(?:performance\s*\.\s*(?:now|timeOrigin)|Date\s*\.\s*now|hrtime)\b|new Date\(\)/;
/** Lines of block comments, and the text after `//`. */
const COMMENT = /^\s*\/?\*.*$|\/\/.*$/gm;

test('only the system clock reads the time of this machine', () => {
  const reads = sourceFiles()
    .filter(({ path, text }) => path !== READER && READ.test(text.replace(COMMENT, '')))
    .map(({ path }) => path);
  assert.deepEqual(reads, [], 'take a Clock (src/domain/clock.ts) from the composition');
});

test('each way to read the time is recognized', () => {
  for (const code of ['performance.now()', 'now: Date.now,', 'new Date()', 'process.hrtime()']) {
    assert.match(code, READ);
  }
  for (const code of ['clock.wallMs()', 'new Date(nowMs)', 'Date.parse(text)']) {
    assert.doesNotMatch(code, READ);
  }
});
