/**
 * Linters check the CI workflows, the image and the compose file. Further checks cover the rest.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { projectFiles, projectRoot } from '../docs/project-files.ts';
import { toolPath, tools, without } from './tools.ts';

const options = { cwd: projectRoot, timeout: 60_000 };
const run = (tool: keyof typeof tools, args: string[]) =>
  promisify(execFile)(toolPath(tools[tool]), args, options).catch((error: unknown) => {
    throw new Error((error as { stdout: string }).stdout || String(error));
  });

test('actionlint reports nothing', { skip: without(tools.actionlint) }, async () => {
  const files = projectFiles('.github/workflows/*.yaml').map(({ path }) => path);
  assert.ok(files.length >= 5, 'the workflows were found');
  await run('actionlint', ['-no-color', ...files]);
});

test('hadolint reports nothing', { skip: without(tools.hadolint) }, async () => {
  await run('hadolint', ['--no-color', '--failure-threshold', 'style', 'Dockerfile']);
});
