import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { test } from 'node:test';
import { settingsSchema } from '#config/schema.ts';
import { errorCatalogue } from '#domain/errors.ts';
import {
  markdownFiles,
  projectRoot,
  projectText,
  sourceFiles,
  withoutFences,
} from './project-files.ts';

const documents = markdownFiles();

/** Returns the anchors that GitHub derives from the headings of a document. */
function anchorsOf(text: string): Set<string> {
  const headings = [...withoutFences(text).matchAll(/^#+ (.+)$/gm)];
  return new Set(
    headings.map(([, heading = '']) =>
      heading
        .toLowerCase()
        .replace(/[^\p{L}\p{N}_ -]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}

test('relative links point to existing files and headings', () => {
  let links = 0;
  for (const { path, text } of documents) {
    for (const [, link = ''] of withoutFences(text).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(link)) continue;
      links++;
      const [file = '', anchor] = link.split('#');
      const target = file === '' ? path : posix.join(dirname(path), file);
      assert.ok(existsSync(join(projectRoot, target)), `${path} links to ${link}`);
      if (anchor === undefined) continue;
      assert.ok(anchorsOf(projectText(target)).has(anchor), `${path} links to ${link}`);
    }
  }
  assert.ok(links > 20, 'the links were found');
});

test('paths in the documents, and documents in the source, exist', () => {
  for (const { path, text } of documents) {
    const named = text.matchAll(/(?<![\w/.-])((?:src|test|docs|bench|\.ci)\/[\w./-]*\w)/g);
    for (const [, name] of named) {
      assert.ok(existsSync(join(projectRoot, name as string)), `${path} names ${name}`);
    }
  }
  for (const { path, text } of sourceFiles()) {
    for (const [, name] of text.matchAll(/\b(docs\/[\w./-]+\.md)\b/g)) {
      assert.ok(existsSync(join(projectRoot, name as string)), `${path} names ${name}`);
    }
  }
});

test('npm scripts that the documents name exist', () => {
  const scriptsOf = (file: string): Record<string, string> =>
    (JSON.parse(projectText(file)) as { scripts: Record<string, string> }).scripts;
  const scripts = scriptsOf('package.json');
  // Commands of these documents run in pulumi/.
  const ofCloud = { ...scripts, ...scriptsOf('pulumi/package.json') };
  for (const { path, text } of documents) {
    const known = /operations\/(cloud|install)\.md$/.test(path) ? ofCloud : scripts;
    for (const [, name = ''] of text.matchAll(/\bnpm run (?:--silent )?([\w:-]+)/g)) {
      assert.ok(name in known, `${path} names npm run ${name}`);
    }
  }
});

test('settings and error codes that the documents name exist', () => {
  const known = new Set([
    ...Object.keys(settingsSchema.properties),
    ...Object.keys(errorCatalogue),
  ]);
  for (const { path, text } of documents) {
    for (const [name] of text.matchAll(/\bPOSTHORN_[A-Z0-9_]*[A-Z0-9]\b/g)) {
      const key = known.has(name) ? name : name.replace(/_FILE$/, '');
      assert.ok(known.has(key), `${path} names ${name}`);
    }
  }
});
