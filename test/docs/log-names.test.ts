/** Lines of the log that pages for operators tell them to look for are lines that are written. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse } from 'yaml';
import { projectFiles, projectText, sourceFiles } from './project-files.ts';

test('names of log lines in docs/operations exist in the source', () => {
  const written = new Set<string>();
  for (const { text } of sourceFiles()) {
    for (const [, name = ''] of text.matchAll(/'([a-z_]+\.[a-z_]+)'/g)) written.add(name);
  }
  const origins = new Set([...written].map((name) => name.split('.')[0]));
  const values = parse(projectText('charts/posthorn/values.yaml')) as Record<string, object>;
  let named = 0;
  for (const { path, text } of projectFiles('docs/operations/**/*.md')) {
    for (const [, origin = '', what = ''] of text.matchAll(/`([a-z_]+)\.([a-z_]+)`/g)) {
      // Values of the chart look the same, and files do.
      if (!origins.has(origin) || what in (values[origin] ?? {})) continue;
      named++;
      assert.ok(written.has(`${origin}.${what}`), `${path} names ${origin}.${what}`);
    }
  }
  assert.ok(named > 5, 'the names were found');
});
