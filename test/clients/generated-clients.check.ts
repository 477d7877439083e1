/** Generates typed clients from the reference, and runs programs that use them against a server. */
import assert from 'node:assert/strict';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { projectRoot } from '../docs/project-files.ts';
import { pythonEnvironment } from './python-environment.ts';
import { type ReferenceServer, startReferenceServer } from './reference-server.ts';
import { runProgram } from './run-program.ts';

let server: ReferenceServer;
before(async () => {
  server = await startReferenceServer();
});
after(() => server.stop());

/** The environment of the programs. */
const clientEnv = () => ({ API: server.apiUrl, KEY: server.key, DOCUMENT: server.document });

/** Returns the folder of a client, after installing its packages from its lock file. */
async function packageFolder(name: string): Promise<string> {
  const cwd = join(projectRoot, 'test/clients', name);
  await runProgram('npm', ['ci', '--no-audit', '--no-fund'], { cwd });
  await rm(join(cwd, 'generated'), { recursive: true, force: true });
  return cwd;
}

test('redocly and spectral report nothing about the document', async () => {
  const cwd = await packageFolder('lint');
  const { document } = server;
  const redocly = ['redocly', 'lint', '--config', 'redocly.yaml', document];
  const spectral = ['spectral', 'lint', '--fail-severity', 'hint', document];
  assert.match(await runProgram('npx', redocly, { cwd }), /is valid/);
  assert.match(await runProgram('npx', spectral, { cwd }), /No results/);
});

test('a program with a client of openapi-typescript compiles and runs', async () => {
  const cwd = await packageFolder('openapi-typescript');
  const options = { cwd, env: clientEnv() };
  const generate = ['openapi-typescript', server.document, '-o', 'generated/schema.ts'];
  assert.doesNotMatch(await runProgram('npx', generate, options), /warn/i);
  await runProgram('npx', ['tsc', '--project', '.'], options);
  const output = await runProgram(process.execPath, ['example.ts'], options);
  assert.match(output, /openapi-typescript: done/);
});

test('a program with a client of @hey-api/openapi-ts compiles and runs', async () => {
  const cwd = await packageFolder('hey-api');
  const options = { cwd, env: clientEnv() };
  assert.doesNotMatch(await runProgram('npx', ['openapi-ts'], options), /warn/i);
  await runProgram('npx', ['tsc', '--project', '.'], options);
  const output = await runProgram(process.execPath, ['example.ts'], options);
  assert.match(output, /hey-api: done/);
});

test('a program with a client of openapi-python-client has its types and runs', async () => {
  const name = 'openapi-python-client';
  const cwd = join(projectRoot, 'test/clients', name);
  const bin = await pythonEnvironment(name);
  const generated = join(cwd, 'generated');
  await rm(generated, { recursive: true, force: true });
  const options = {
    cwd,
    env: {
      ...clientEnv(),
      // The generator calls ruff by name to format its output.
      PATH: `${bin}:${process.env['PATH']}`,
      PYTHONPATH: generated,
      MYPYPATH: generated,
    },
  };
  const templates = await correctedTemplates(bin);
  const generate = ['generate', '--config', 'config.yaml', '--custom-template-path', templates];
  const output = join(generated, 'posthorn_client');
  const place = ['--path', server.document, '--output-path', output, '--meta', 'none'];
  const stated = await runProgram(join(bin, name), [...generate, ...place], options);
  assert.doesNotMatch(stated, /warning|error/i);
  const cache = join(server.dir, 'mypy');
  await runProgram(join(bin, 'mypy'), ['--strict', '--cache-dir', cache, 'example.py'], options);
  assert.match(await runProgram(join(bin, 'python'), ['example.py'], options), /client: done/);
});

const WRONG = 'isinstance(body, {{body.prop.get_type_string(no_optional=True)';
const RIGHT = 'isinstance(body, {{body.prop.get_instance_type_string()';

/**
 * Corrects a fault in the template of version 0.29.1 of the generator: it instantiates
 * `list[CloudEvent]`, which Python rejects. `docs/guides/api/clients.md` informs users.
 */
async function correctedTemplates(bin: string): Promise<string> {
  const find = 'import openapi_python_client as o; print(o.__path__[0])';
  const module = (await runProgram(join(bin, 'python'), ['-c', find], { cwd: server.dir })).trim();
  const name = 'endpoint_module.py.jinja';
  const text = await readFile(join(module, 'templates', name), 'utf8');
  assert.ok(text.includes(WRONG), 'the generator still has the fault');
  const templates = join(server.dir, 'templates');
  await mkdir(templates);
  await writeFile(join(templates, name), text.replace(WRONG, RIGHT));
  return templates;
}
