/**
 * Checks the language of everything that people read: documents, comments, error texts,
 * descriptions, log texts, names of tests; and vague names of variables and functions. `npm run
 * prose` prints each finding with its place and fails if there is one that `allowed.txt` does not
 * list, or if that list has a sentence that no longer exists.
 *
 * With paths as arguments it checks these only, and ignores the list's unused sentences.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { Passage } from './passage.ts';
import { readNames } from './read-names.ts';
import { readSource } from './read-source.ts';
import { readHashComments, readMarkdown } from './read-text.ts';
import { findFaults, findVagueName } from './rules.ts';

const ALLOWED = 'test/prose/allowed.txt';
const COMMENT_COLUMNS_MAX = 100;

const wanted = process.argv.slice(2);
const files = execFileSync('git', ['ls-files', '-z', '--', ...wanted], { encoding: 'utf8' });
const allowed = readAllowed();
const used = new Set<string>();
let count = 0;
let passages = 0;

for (const file of files.split('\0')) {
  if (file === '' || file.startsWith('test/prose/')) continue;
  const source = readFileSync(file, 'utf8');
  for (const passage of readPassages(file, source)) {
    passages++;
    for (const { line, rule, sentence } of findFaults(passage)) {
      if (allowed.has(sentence)) used.add(sentence);
      else report(file, line, rule, sentence);
    }
  }
  if (/\.[cm]?ts$/.test(file)) {
    checkColumns(file, source);
    checkNames(file, source);
  }
}
if (wanted.length === 0) {
  for (const sentence of allowed) {
    if (!used.has(sentence)) report(ALLOWED, 0, 'is not in the project any more', sentence);
  }
}
process.stdout.write(`${count} findings in ${passages} passages\n`);
process.exitCode = count === 0 ? 0 : 1;

function readPassages(file: string, source: string): Passage[] {
  if (/\.[cm]?[jt]s$/.test(file)) return readSource(file, source);
  if (file.endsWith('.md')) return readMarkdown(file, source);
  if (/\.(?:ya?ml|tpl|sh|service)$|Dockerfile$|^\.ci\//.test(file)) {
    return readHashComments(file, source);
  }
  return [];
}

function checkColumns(file: string, source: string): void {
  for (const [index, line] of source.split('\n').entries()) {
    const isComment = /^\s*(?:\/\/|\/?\*)/.test(line);
    if (isComment && line.length > COMMENT_COLUMNS_MAX && !/https?:\/\/\S{60}/.test(line)) {
      report(
        file,
        index + 1,
        `${line.length} columns; ${COMMENT_COLUMNS_MAX} are allowed`,
        line.trim(),
      );
    }
  }
}

function checkNames(file: string, source: string): void {
  for (const { name, line } of readNames(file, source)) {
    const better = findVagueName(name);
    if (better !== undefined) report(file, line, `a vague name; for example: ${better}`, name);
  }
}

function readAllowed(): Set<string> {
  const lines = readFileSync(ALLOWED, 'utf8').split('\n');
  return new Set(lines.filter((line) => line !== '' && !line.startsWith('#')));
}

function report(file: string, line: number, rule: string, sentence: string): void {
  count++;
  process.stdout.write(`${file}:${line}: ${rule}\n    ${sentence}\n`);
}
