/**
 * The files that the Dockerfile puts into the image are sufficient to run. The test copies them
 * into a folder, without a container.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cpSync, existsSync } from 'node:fs';
import { join, relative } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { makeTempDir } from '#testkit/temp-dir.ts';
import { projectRoot, projectText } from '../docs/project-files.ts';

const run = promisify(execFile);

test('source and production dependencies are sufficient without install scripts', async (t) => {
  const dir = await makeTempDir();
  t.after(() => dir.remove());
  const dockerfile = projectText('Dockerfile');
  const copied = [...dockerfile.matchAll(/^COPY ((?!--from).+) \S+$/gm)];
  const names = new Set(copied.flatMap(([, list = '']) => list.split(' ')));
  const expected = ['LICENSE', 'docs/errors.md', 'package-lock.json', 'package.json', 'src'];
  assert.deepEqual([...names].toSorted(), expected);
  const leftOut = projectText('.dockerignore')
    .split('\n')
    .filter((line) => line.startsWith('src/'));
  assert.ok(leftOut.length > 0, 'parts of the source are left out');
  for (const name of names) {
    const filter = (path: string): boolean =>
      (!path.endsWith('.md') || path.endsWith('docs/errors.md')) &&
      !leftOut.includes(relative(projectRoot, path));
    cpSync(join(projectRoot, name), join(dir.path, name), { recursive: true, filter });
  }
  const install = /npm ci (--omit=dev [^\\\n]+)/.exec(dockerfile)?.[1]?.trim().split(' ') ?? [];
  assert.ok(install.includes('--ignore-scripts'));
  const args = ['ci', '--prefer-offline', ...install];
  await run('npm', args, { cwd: dir.path, timeout: 300_000 });
  assert.ok(!existsSync(join(dir.path, 'node_modules/typescript')), 'no tools of developers');

  // Each command loads all roles before it reports missing settings.
  for (const command of ['run', 'migrate']) {
    const started = run(process.execPath, ['src/main.ts', command], { cwd: dir.path, env: {} });
    await assert.rejects(started, (error: { code: number; stderr: string }) => {
      assert.equal(error.code, 78, error.stderr);
      assert.match(error.stderr, /POSTHORN_NATS_URL: is required/);
      return true;
    });
  }
  for (const left of leftOut) assert.ok(existsSync(join(projectRoot, left)), left);
  const started = run(process.execPath, ['src/main.ts', 'start'], { cwd: dir.path, env: {} });
  await assert.rejects(started, { code: 78, stderr: /start is not in a container image/ });
  const { stdout } = await run(process.execPath, ['src/main.ts', '--help'], { cwd: dir.path });
  assert.match(stdout, /posthorn migrate/);
});
