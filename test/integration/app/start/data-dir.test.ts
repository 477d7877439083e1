import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { loadSettings } from '#config/load.ts';
import { DataDir } from '#src/app/start/data-dir.ts';
import { installationKeys } from '#src/app/start/installation-keys.ts';
import { tempDir } from '#testkit/temp-dir.ts';

const projectRoot = fileURLToPath(new URL('../../../../', import.meta.url));

/** A process of its own that holds the folder. It says so on standard output. */
async function holderOf(t: TestContext, path: string) {
  const script = `import { DataDir } from '#src/app/start/data-dir.ts';
    DataDir.open(process.argv[1]); console.log('held'); setInterval(() => {}, 1e6);`;
  const args = ['--input-type=module-typescript', '-e', script, path];
  const holder = spawn(process.execPath, args, {
    cwd: projectRoot,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => holder.kill('SIGKILL'));
  await once(holder.stdout, 'data');
  return holder;
}

const inUse = (path: string, pid: number | undefined) => ({
  name: 'ConfigError',
  faults: [`POSTHORN_DATA_DIR: ${path} is in use by another posthorn (process ${pid})`],
});

test('a data folder is locked until its process ends, and is then taken over', async (t) => {
  const path = join(await tempDir(t), 'a', 'b');
  const holder = await holderOf(t, path);
  assert.throws(() => DataDir.open(path), inUse(path, holder.pid));
  holder.kill('SIGKILL');
  await once(holder, 'exit');
  const dir = DataDir.open(path);
  assert.equal(dir.tookOver, true);
  assert.throws(() => DataDir.open(path), inUse(path, process.pid));
  dir.release();
  dir.release();
  assert.deepEqual(await readdir(path), ['posthorn.lock']);
  const again = DataDir.open(path);
  assert.equal(again.tookOver, false);
  again.release();
});

test('a stale process id does not lock the folder', async (t) => {
  const path = await tempDir(t);
  // It has the id of a running process whose command line names all that a start does.
  const args = ['-e', 'setInterval(() => {}, 1e6)', 'src/main.ts', 'start', path];
  const other = spawn(process.execPath, args);
  t.after(() => other.kill('SIGKILL'));
  await once(other, 'spawn');
  for (const pid of [other.pid, process.pid, process.ppid, 1, 'no number']) {
    await writeFile(join(path, 'posthorn.pid'), `${pid}\n`);
    const dir = DataDir.open(path);
    assert.equal(dir.tookOver, true);
    assert.equal(await readFile(join(path, 'posthorn.pid'), 'utf8'), `${process.pid}\n`);
    dir.release();
  }
});

test('a folder is still locked when its process id is lost', async (t) => {
  const path = await tempDir(t);
  await holderOf(t, path);
  await rm(join(path, 'posthorn.pid'));
  assert.throws(() => DataDir.open(path), {
    faults: [`POSTHORN_DATA_DIR: ${path} is in use by another posthorn`],
  });
});

test('rejects a path that is not a writable folder with its name', async (t) => {
  const dir = await tempDir(t);
  const file = join(dir, 'file');
  await writeFile(file, '');
  for (const path of [file, join(file, 'below', 'it')]) {
    assert.throws(() => DataDir.open(path), {
      faults: [`POSTHORN_DATA_DIR: ${file} is not a folder`],
    });
  }
  // Root may write anywhere but into the kernel's own file system.
  const locked = process.getuid?.() === 0 ? '/proc' : join(dir, 'locked');
  if (locked !== '/proc') {
    await mkdir(locked);
    await chmod(locked, 0o500);
  }
  assert.throws(() => DataDir.open(join(locked, 'posthorn')), /cannot be written \(E[A-Z]+\)/);
});

test('the keys are generated once and readable by the owner only, and settings override them', async (t) => {
  const dir = DataDir.open(await tempDir(t));
  const keys = installationKeys(loadSettings({}).keys, dir);
  assert.match(keys.bootstrapKey, /^phk_[0-9a-f]{48}$/);
  // Both fit what the settings ask for.
  loadSettings({
    POSTHORN_BOOTSTRAP_KEY: keys.bootstrapKey,
    POSTHORN_MASTER_KEY: keys.masterKey,
  });
  assert.deepEqual(installationKeys(loadSettings({}).keys, dir), keys);
  assert.equal((await stat(dir.join('keys.json'))).mode & 0o777, 0o600);
  const bootstrapKey = 'phk_0123456789abcdef';
  const given = loadSettings({ POSTHORN_BOOTSTRAP_KEY: bootstrapKey });
  assert.deepEqual(installationKeys(given.keys, dir), { ...keys, bootstrapKey });
  for (const text of ['{}', 'half']) {
    await writeFile(dir.join('keys.json'), text);
    assert.throws(() => installationKeys(loadSettings({}).keys, dir), /keys\.json is damaged/);
  }
});
