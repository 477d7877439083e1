/** schemathesis sends valid and invalid requests by the reference, and checks every answer. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { TEST_KEY, startSystem } from '#testkit/system.ts';
import { makeTempDir } from '#testkit/temp-dir.ts';
import { projectRoot } from '../docs/project-files.ts';
import { pythonEnvironment } from './python-environment.ts';
import { runProgram } from './run-program.ts';

const MAX_SECONDS = 200;

test('the server accepts what the reference allows, and answers as it declares', async (t) => {
  const bin = await pythonEnvironment('schemathesis');
  // The server has no worker, because the examples name endpoints of other organizations.
  const system = await startSystem([['ingress', 'control', 'router']], {
    // With a public URL an endpoint may ask for links.
    POSTHORN_PUBLIC_URL: 'https://posthorn.invalid',
  });
  t.after(() => system.stop());
  // The tenant of the examples.
  const { status } = await system.api('PUT', '/v1/tenants/acme', {});
  assert.equal(status, 201);
  const url = system.url('control');
  const folder = join(projectRoot, 'test/clients/schemathesis');
  // Notes of the previous run would change this one.
  const dir = await makeTempDir();
  t.after(() => dir.remove());
  const cwd = dir.path;
  const args = [
    '--config-file',
    join(folder, 'schemathesis.toml'),
    'run',
    `${url}/openapi.json`,
    '--url',
    url,
  ];
  args.push('--header', `Authorization: Bearer ${TEST_KEY}`, '--max-time', String(MAX_SECONDS));
  // `checks.py` replaces these two checks.
  args.push('--exclude-checks', 'positive_data_acceptance,negative_data_rejection');
  const env = { PYTHONPATH: folder, PYTHONDONTWRITEBYTECODE: '1' };
  t.diagnostic((await runProgram(join(bin, 'schemathesis'), args, { cwd, env })).slice(-1500));
});
