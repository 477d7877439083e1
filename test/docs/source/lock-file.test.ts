import assert from 'node:assert/strict';
import { test } from 'node:test';
import { projectText } from '../project-files.ts';

interface LockedPackage {
  optionalDependencies?: Record<string, string>;
}

test('the lock file lists every optional dependency, as npm ci requires', () => {
  const { packages } = JSON.parse(projectText('package-lock.json')) as {
    packages: Record<string, LockedPackage>;
  };
  const missing: string[] = [];
  for (const [path, { optionalDependencies }] of Object.entries(packages)) {
    for (const name of Object.keys(optionalDependencies ?? {})) {
      const places = [`${path}/node_modules/${name}`, `node_modules/${name}`];
      if (!places.some((place) => place in packages)) missing.push(`${path} needs ${name}`);
    }
  }
  assert.deepEqual(missing, []);
});
