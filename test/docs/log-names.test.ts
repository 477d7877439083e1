/** The log lines that pages for operators name exist in the source. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { parse } from 'yaml';
import { projectFiles, projectRoot, projectText, sourceFiles } from './project-files.ts';

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
      // Values of the chart and files have the same form as log names.
      if (!origins.has(origin) || what in (values[origin] ?? {})) continue;
      named++;
      assert.ok(written.has(`${origin}.${what}`), `${path} names ${origin}.${what}`);
    }
  }
  assert.ok(named > 5, 'the names were found');
});

test('the runbooks name the stream that the log is written to', () => {
  const script = `
    const { createLog } = await import('#infra/telemetry/log.ts');
    createLog('info').info('a.line');
  `;
  const args = ['--input-type=module', '--eval', script];
  const { stdout, stderr } = spawnSync(process.execPath, args, {
    cwd: projectRoot,
    encoding: 'utf8',
  });
  const written = { output: stdout, error: stderr };
  const [, stream = ''] =
    /The log\*\* is on standard (output|error)/.exec(
      projectText('docs/operations/runbooks/README.md'),
    ) ?? [];
  assert.match(written[stream as keyof typeof written] ?? '', /"msg":"a\.line"/, stream);
});
