/** Compares docs/requirements.md with the files that use its ids and the tests that it names. */
import assert from 'node:assert/strict';
import { existsSync, globSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { projectRoot, projectText } from './project-files.ts';

interface Requirement {
  readonly state: string;
  readonly tests: readonly string[];
}

const DOCUMENT = 'docs/requirements.md';

function readRequirements(): Map<string, Requirement> {
  const requirements = new Map<string, Requirement>();
  const rows = projectText(DOCUMENT).matchAll(
    /^\| ([A-Z]{2}-\d+) +\| .* \| ([^|]*?) +\| ([^|]*?) *\|$/gm,
  );
  for (const [, id = '', state = '', tests = ''] of rows) {
    assert.ok(!requirements.has(id), `${id} has two rows`);
    requirements.set(id, {
      state,
      tests: [...tests.matchAll(/`([^`]+)`/g)].map((m) => m[1] ?? ''),
    });
  }
  return requirements;
}

const requirements = readRequirements();
const areas = new Set([...requirements.keys()].map((id) => id.slice(0, 2)));

/** Returns the ids in use, with the files that use each. */
function usedIds(): Map<string, string[]> {
  const used = new Map<string, string[]>();
  const paths = globSync('{src,test,charts,argocd,pulumi,loadtest,bench,docs}/**/*.{ts,md,yaml}', {
    cwd: projectRoot,
    exclude: ['**/node_modules', DOCUMENT],
  });
  for (const path of paths) {
    for (const [id] of projectText(path).matchAll(/\b[A-Z]{2}-\d{1,2}\b/g)) {
      if (areas.has(id.slice(0, 2))) used.set(id, [...(used.get(id) ?? []), path]);
    }
  }
  return used;
}

test('each requirement id in the repository has a row', () => {
  const used = usedIds();
  assert.ok(used.size > 30, 'ids were found');
  const unknown = [...used].filter(([id]) => !requirements.has(id));
  assert.deepEqual(unknown, []);
});

test('each requirement that is built, wholly or in part, names existing tests', () => {
  assert.ok(requirements.size > 80, 'rows were found');
  const faults: string[] = [];
  for (const [id, { state, tests }] of requirements) {
    if (!/^(built|documented|planned|partly: .+)$/.test(state))
      faults.push(`${id}: state "${state}"`);
    if ((state === 'planned') !== (tests.length === 0)) faults.push(`${id}: ${tests.length} tests`);
    for (const path of tests) {
      const found = existsSync(join(projectRoot, path));
      if (!found) faults.push(`${id}: ${path} does not exist`);
    }
  }
  assert.deepEqual(faults, []);
});
