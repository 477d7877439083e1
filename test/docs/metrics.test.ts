import assert from 'node:assert/strict';
import { test } from 'node:test';
import { projectText, sourceFiles } from './project-files.ts';

test('docs/metrics.md names the metrics of the source, and no other', () => {
  const inSource = new Set<string>();
  for (const { text } of sourceFiles()) {
    for (const [, name] of text.matchAll(/'(posthorn_[a-z0-9_]+)'/g)) inSource.add(name as string);
  }
  assert.ok(inSource.size > 5, 'the metrics were found');
  const inDocs = [...projectText('docs/metrics.md').matchAll(/^\| `(posthorn_\w+)` \|/gm)];
  const named = inDocs.map(([, name = '']) => name);
  assert.deepEqual(named.toSorted(), [...inSource].toSorted());
});
