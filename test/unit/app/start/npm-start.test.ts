import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { chmod, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { tempDir } from '#testkit/temp-dir.ts';

/** Runs the script of `npm start` with a `node` that prints the folder of its compile cache. */
async function cacheFolder(t: TestContext, given: Record<string, string>): Promise<string> {
  const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as {
    scripts: { start: string };
  };
  const bin = await tempDir(t);
  const node = join(bin, 'node');
  await writeFile(node, '#!/bin/sh\nprintf %s "$NODE_COMPILE_CACHE"\n');
  await chmod(node, 0o755);
  const { NODE_COMPILE_CACHE: _, ...rest } = process.env;
  const env = { ...rest, PATH: [bin, process.env['PATH']].join(delimiter), ...given };
  return execFileSync('sh', ['-c', scripts.start], { env, encoding: 'utf8' });
}

test('npm start keeps compiled sources in the folder of the packages', async (t) => {
  assert.equal(await cacheFolder(t, {}), 'node_modules/.cache/posthorn');
});

test('npm start keeps a compile cache of its caller when there is one', async (t) => {
  assert.equal(await cacheFolder(t, { NODE_COMPILE_CACHE: '/elsewhere' }), '/elsewhere');
});
