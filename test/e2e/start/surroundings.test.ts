import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { cacheDirectory } from '#src/embedded/binary-cache.ts';
import { tempDir } from '#testkit/temp-dir.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { PosthornProcess, sendPrinted } from '../posthorn-process.ts';

const MAIN = fileURLToPath(new URL('../../../src/main.ts', import.meta.url));

test('a start works in a minimal environment and keeps its data private to its user', async (t) => {
  const dir = await tempDir(t);
  const data = join(dir, 'data');
  const env = {
    PATH: process.env['PATH'],
    TZ: 'Asia/Kathmandu',
    LANG: 'xx_YY.UTF-8',
    LC_ALL: 'xx_YY.UTF-8',
    TMPDIR: '/nowhere',
    POSTHORN_CACHE_DIR: cacheDirectory(
      process.env['POSTHORN_CACHE_DIR'],
      process.env['XDG_CACHE_HOME'],
    ),
    POSTHORN_DATA_DIR: data,
    POSTHORN_HTTP_PORT: '0',
    POSTHORN_OPS_PORT: '0',
    POSTHORN_RECEIVER_PORT: '0',
  };
  const words = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  // No HOME, a permissive umask, closed standard input, another working directory.
  const script = 'umask 000; cd /; exec env -i "$@" <&-';
  const command = [process.execPath, MAIN, 'start'];
  const start = new PosthornProcess(dir, {}, ['/bin/sh', '-c', script, 'sh', ...words, ...command]);
  t.after(() => start.end());
  const { id } = await sendPrinted(await start.banner());
  await waitUntil(() => start.stdout.includes(`${id} signature valid`), { what: 'the webhook' });
  for (const folder of [data, join(data, 'mongod'), join(data, 'nats-server')]) {
    assert.equal((await stat(folder)).mode & 0o077, 0, folder);
  }
});

test('a start reports that its working directory was removed', async (t) => {
  const dir = join(await tempDir(t), 'gone');
  await mkdir(dir);
  const script = `rmdir "${dir}"; exec "$@"`;
  const args = ['-c', script, 'sh', process.execPath, MAIN, 'start'];
  const { status, stderr } = spawnSync('/bin/sh', args, { cwd: dir, encoding: 'utf8' });
  assert.equal(status, 78);
  assert.equal(
    stderr,
    'posthorn: the working directory was removed; start posthorn in another one\n',
  );
});
