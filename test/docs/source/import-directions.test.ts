import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allowedImports, importEdges } from './import-graph.ts';

test('imports go in the allowed directions, and planes never import each other', () => {
  const edges = importEdges();
  assert.ok(edges.length > 50, 'the imports were found');
  const forbidden = edges
    .filter(({ from, to }) => !allowedImports[from].includes(to))
    .map(({ file, to }) => `${file} imports ${to}`);
  assert.deepEqual(forbidden, []);
});
