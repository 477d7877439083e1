import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { test } from 'node:test';
import { natsServer } from '#src/embedded/program.ts';
import { type BinarySource, resolveBinary } from '#src/embedded/resolve-binary.ts';
import { fetchArchive, findChecksum } from '#src/embedded/fetch-archive.ts';
import { tempDir } from '#testkit/temp-dir.ts';
import { WebhookReceiver } from '#testkit/webhook-receiver.ts';
import { execFileSync } from 'node:child_process';

const script = (version: string) => `#!/bin/sh\necho "nats-server: v${version}"\n`;

async function putProgram(dir: string, version: string, name = 'nats-server'): Promise<string> {
  await mkdir(dir, { recursive: true });
  const path = join(dir, name);
  await writeFile(path, script(version));
  await chmod(path, 0o755);
  return path;
}

function sourceOf(version: string): BinarySource & { fetched: number } {
  const source = {
    name: 'a source',
    fetched: 0,
    fetch(dir: string) {
      source.fetched += 1;
      return putProgram(join(dir, 'inner'), version);
    },
  };
  return source;
}

const broken: BinarySource = {
  name: 'broken.example',
  fetch: () => Promise.reject(new Error('no route')),
};

test('a program on the PATH is used, and an older one is skipped with a message', async (t) => {
  const dir = await tempDir(t);
  const old = await putProgram(join(dir, 'old'), '2.9.25');
  const good = await putProgram(join(dir, 'good'), '2.14.0');
  const lines: string[] = [];
  const found = await resolveBinary(natsServer, {
    path: ['', join(dir, 'none'), join(dir, 'old'), join(dir, 'good')].join(delimiter),
    cacheDir: join(dir, 'cache'),
    sources: [],
    report: (line) => lines.push(line),
    nowMs: Date.now,
  });
  assert.equal(found, good);
  assert.deepEqual(lines, [`${old} is skipped: version 2.9.25, but 2.14.0 or later is needed`]);
});

test('a fetched binary is cached, and a damaged copy is fetched again', async (t) => {
  const cacheDir = join(await tempDir(t), 'cache');
  const source = sourceOf('2.15.1');
  const lines: string[] = [];
  const deps = {
    path: undefined,
    cacheDir,
    sources: [broken, source],
    report: (line: string) => lines.push(line),
    nowMs: Date.now,
  };
  const first = await resolveBinary(natsServer, deps);
  assert.equal(await resolveBinary(natsServer, deps), first);
  assert.equal(source.fetched, 1);
  assert.deepEqual(await readdir(cacheDir), [
    `nats-server-2.15.1-${createHash('sha256').update(script('2.15.1')).digest('hex')}`,
  ]);
  await writeFile(first, 'half a fi');
  lines.length = 0;
  assert.equal(await resolveBinary(natsServer, deps), first);
  assert.equal(source.fetched, 2);
  assert.equal(lines[0], `${first} is damaged and is fetched again`);
  assert.equal(await readFile(first, 'utf8'), script('2.15.1'));
});

test('concurrent fetches leave one complete file', async (t) => {
  const cacheDir = join(await tempDir(t), 'cache');
  const deps = {
    path: '',
    cacheDir,
    sources: [sourceOf('2.15.1')],
    report: () => undefined,
    nowMs: Date.now,
  };
  const all = await Promise.all([1, 2, 3].map(() => resolveBinary(natsServer, deps)));
  assert.equal(new Set(all).size, 1);
  assert.equal((await readdir(cacheDir)).length, 1);
});

test('the error names the remedies and each failed source when no binary is found', async (t) => {
  const cacheDir = join(await tempDir(t), 'cache');
  const tooOld = sourceOf('2.1.0');
  const deps = {
    path: '',
    cacheDir,
    sources: [broken, tooOld],
    report: () => undefined,
    nowMs: Date.now,
  };
  await assert.rejects(resolveBinary(natsServer, deps), (error: Error) => {
    for (const part of [
      'POSTHORN_NATS_URL',
      'install nats-server',
      'docker compose up',
      cacheDir,
      'broken.example: no route',
      'a source: version 2.1.0',
    ]) {
      assert.ok(error.message.includes(part), part);
    }
    return true;
  });
  assert.deepEqual(await readdir(cacheDir), []);
});

test('rejects a cache folder that cannot be created with its name', async (t) => {
  const dir = await tempDir(t);
  await writeFile(join(dir, 'file'), '');
  const deps = {
    path: '',
    sources: [sourceOf('2.15.1')],
    report: () => undefined,
    nowMs: Date.now,
  };
  await assert.rejects(
    resolveBinary(natsServer, { ...deps, cacheDir: join(dir, 'file', 'cache') }),
    /ENOTDIR.*file\/cache/,
  );
});

test('an archive is verified against the published checksum', async (t) => {
  const dir = await tempDir(t);
  await putProgram(join(dir, 'pack', 'nats-server-v2'), '2.15.1');
  execFileSync('tar', ['-czf', join(dir, 'a.tar.gz'), '-C', join(dir, 'pack'), '.']);
  const archive = await readFile(join(dir, 'a.tar.gz'));
  const sum = createHash('sha256').update(archive).digest('hex');
  const receiver = await WebhookReceiver.start();
  t.after(() => receiver.close());
  receiver
    .on('/a.tar.gz', { status: 200, body: archive })
    .on('/SHA256SUMS', { status: 200, body: `${'0'.repeat(64)}  b.tar.gz\n${sum}  a.tar.gz\n` })
    .on('/wrong', { status: 200, body: `${'0'.repeat(64)}  a.tar.gz\n` })
    .on('/missing', { status: 404 });
  const fetchFrom = async (checksums: string) =>
    fetchArchive(
      {
        url: receiver.url('/a.tar.gz'),
        checksumsUrl: receiver.url(checksums),
        program: 'nats-server',
      },
      await tempDir(t),
      () => undefined,
    );
  assert.equal(await readFile(await fetchFrom('/SHA256SUMS'), 'utf8'), script('2.15.1'));
  await assert.rejects(fetchFrom('/wrong'), /SHA-256 is .* is expected/);
  await assert.rejects(fetchFrom('/missing'), /answered 404/);
  await receiver.close();
  await assert.rejects(fetchFrom('/SHA256SUMS'), /127\.0\.0\.1:\d+ cannot be reached/);
  assert.throws(() => findChecksum('', 'a'), /no SHA-256 of a is published/);
});
