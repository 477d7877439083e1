/**
 * Runs the examples of the documents unchanged against a system started as the README describes.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { cloudEventId } from '#domain/event/event-id.ts';
import { findFreePort } from '#src/embedded/free-port.ts';
import { skipUnlessCi } from '#testkit/skip-unless-ci.ts';
import { makeTempDir, type TempDir } from '#testkit/temp-dir.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { type Banner, PosthornProcess } from '../../e2e/posthorn-process.ts';
import { markdownFiles, projectRoot, projectText } from '../project-files.ts';
import { assertShown, fencesOf } from './shown-answers.ts';

let dir: TempDir;
let system: PosthornProcess;
let banner: Banner;

before(async () => {
  dir = await makeTempDir();
  system = new PosthornProcess(dir.path);
  banner = await system.banner();
});
after(async () => {
  await system.end();
  await dir.remove();
});

/** Returns the fenced blocks of a document that have this info string. */
function blocksOf(text: string, info: string): string[] {
  return fencesOf(text)
    .filter((fence) => fence.info === info)
    .map(({ code }) => code);
}

/** Defines a `curl` that exits with an error for an error answer, and still prints the answer. */
const PRELUDE = 'set -eu\ncurl() { command curl -sS --fail-with-body "$@"; echo; }\n';
/** For examples whose answer is an error. */
const REFUSED = 'set -eu\ncurl() { command curl -sS "$@"; echo; }\n';

async function runShell(script: string, prelude = PRELUDE): Promise<string> {
  const env = { ...process.env, API: banner.apiUrl, KEY: banner.key };
  const { stdout } = await promisify(execFile)('bash', ['-c', prelude + script], { env });
  return stdout;
}

/**
 * Returns the answer of the last command of an example. A `curl` that retries prints its answers
 * one after another.
 */
function lastAnswer(output: string): unknown {
  const line = output.trim().split('\n').at(-1) ?? '';
  return JSON.parse(line.split(/(?<=\})(?=\{)/).at(-1) ?? '');
}

for (const { path, text } of markdownFiles()) {
  const fences = fencesOf(text);
  const examples = fences.filter(({ info }) => info.startsWith('sh runnable'));
  if (examples.length === 0) continue;
  test(`${path}: ${examples.length} examples run and return the answers that the page shows`, async () => {
    let output = '';
    for (const { info, code } of fences) {
      if (info.startsWith('sh runnable')) {
        output = await runShell(code, info === 'sh runnable refused' ? REFUSED : PRELUDE);
        assert.match(output, /\{/, code);
      } else if (info === 'json answer') assertShown(code, lastAnswer(output), path);
    }
  });
}

test('each JSON example in the documents is the answer of a run, a tested example, or a request', () => {
  const kinds = /^json (answer|request|example=[a-z-]+)$/;
  for (const { path, text } of markdownFiles()) {
    for (const { info, code } of fencesOf(text)) {
      if (!info.startsWith('json')) continue;
      assert.match(info, kinds, `${path}: ${code}`);
      assert.doesNotThrow(() => JSON.parse(code), `${path}: ${code}`);
    }
  }
});

test('README.md: the receiver verifies its webhooks', async (t) => {
  const [code] = blocksOf(projectText('README.md'), 'js');
  const port = await findFreePort();
  const endpoint = await api('POST', '/v1/tenants/demo/endpoints', {
    url: `http://127.0.0.1:${port}/`,
    event_types: ['readme.example'],
  });
  const receiver = startReceiver(code as string, port, String(endpoint['secret']));
  t.after(() => receiver.child.kill());
  await waitUntil(async () => (await fetch(`http://127.0.0.1:${port}/`)).status === 401);
  const event = await api('POST', '/v1/tenants/demo/events', { type: 'readme.example', data: 7 });
  const line = `${String(event['id'])} readme.example 7`;
  await waitUntil(() => receiver.output().includes(line), { what: line });
});

test('publishing.md: the Node example publishes over NATS', async () => {
  const [code] = blocksOf(projectText('docs/guides/publishing.md'), 'js');
  const args = ['--input-type=module', '-e', code as string];
  const options = { cwd: projectRoot, env: await producerEnv() };
  const { stdout } = await promisify(execFile)(process.execPath, args, options);
  assert.match(stdout, /status: 'accepted'/);
});

test('publishing.md: the Python example publishes over NATS', async (t) => {
  const packages = `${dir.path}/python`;
  const pip = ['-m', 'pip', 'install', '--quiet', '--target', packages, 'nats-py'];
  try {
    await promisify(execFile)('python3', pip);
  } catch {
    skipUnlessCi(t, 'nats-py cannot be had: python3 with pip and a package index are needed');
    return;
  }
  const [code] = blocksOf(projectText('docs/guides/publishing.md'), 'python');
  const env = { ...(await producerEnv()), PYTHONPATH: packages };
  const { stdout } = await promisify(execFile)('python3', ['-c', code as string], { env });
  const id = cloudEventId('/billing', 'py-1');
  assert.deepEqual(JSON.parse(stdout), { id, status: 'accepted' });
});

/** Uses a new producer key that is bound to the tenant of the examples. */
async function producerEnv(): Promise<Record<string, string | undefined>> {
  const made = await api('POST', '/v1/keys', { scope: 'producer', tenant_id: 'demo' });
  const { key, id } = made as { key: string; id: string };
  return { ...process.env, NATS: banner.natsUrl, KEY: key, KEY_ID: id };
}

test('every route that the documents name is in the reference', async () => {
  const { paths } = await api('GET', '/openapi.json');
  const known = new Set<string>();
  for (const [path, methods] of Object.entries(paths as Record<string, object>)) {
    for (const method of Object.keys(methods)) known.add(`${method.toUpperCase()} ${path}`);
  }
  let named = 0;
  for (const { path, text } of markdownFiles()) {
    for (const [route] of text.matchAll(/\b(?:GET|PUT|POST|PATCH|DELETE) \/v1\/[\w/{}-]+/g)) {
      assert.ok(known.has(route), `${path} names ${route}`);
      named++;
    }
  }
  assert.ok(named > 0, 'the routes were found');
});

async function api(method: string, path: string, body?: object): Promise<Record<string, unknown>> {
  const response = await fetch(banner.apiUrl + path, {
    method,
    headers: { authorization: `Bearer ${banner.key}`, 'content-type': 'application/json' },
    body: body === undefined ? null : JSON.stringify(body),
  });
  const text = await response.text();
  assert.ok(response.ok, text);
  return JSON.parse(text) as Record<string, unknown>;
}

function startReceiver(
  code: string,
  port: number,
  secret: string,
): { child: ChildProcess; output: () => string } {
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
    cwd: projectRoot,
    env: { ...process.env, PORT: String(port), WEBHOOK_SECRET: secret },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  void once(child, 'error').catch(() => undefined);
  return { child, output: () => output };
}
