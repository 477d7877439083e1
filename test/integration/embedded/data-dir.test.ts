import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadSettings } from '#config/load.ts';
import { DataDir } from '#src/app/data-dir.ts';
import { installationKeys } from '#src/app/installation-keys.ts';
import { tempDir } from '#testkit/temp-dir.ts';

test('a folder is locked, released and taken over from the dead', async (t) => {
  const path = join(await tempDir(t), 'a', 'b');
  // Any process whose command line names main.ts.
  const holder = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)', 'main.ts']);
  t.after(() => holder.kill('SIGKILL'));
  await once(holder, 'spawn');
  await mkdir(path, { recursive: true });
  await writeFile(join(path, 'posthorn.pid'), `${holder.pid}\n`);
  assert.throws(() => DataDir.open(path), {
    name: 'ConfigError',
    faults: [`POSTHORN_DATA_DIR: ${path} is in use by another posthorn (process ${holder.pid})`],
  });
  holder.kill('SIGKILL');
  await once(holder, 'exit');
  const dir = DataDir.open(path);
  assert.equal(dir.tookOver, true);
  dir.release();
  dir.release();
  assert.deepEqual(await readdir(path), []);
  const again = DataDir.open(path);
  assert.equal(again.tookOver, false);
  again.release();
});

test('what is no folder, or cannot be written, is named', async (t) => {
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

test('the keys are made once, readable by the owner only; the settings win', async (t) => {
  const dir = DataDir.open(await tempDir(t));
  const keys = installationKeys(loadSettings({}), dir);
  assert.match(keys.bootstrapKey, /^phk_[0-9a-f]{48}$/);
  // Both fit what the settings ask for.
  loadSettings({
    POSTHORN_BOOTSTRAP_KEY: keys.bootstrapKey,
    POSTHORN_MASTER_KEY: keys.masterKey,
  });
  assert.deepEqual(installationKeys(loadSettings({}), dir), keys);
  assert.equal((await stat(dir.join('keys.json'))).mode & 0o777, 0o600);
  const bootstrapKey = 'phk_0123456789abcdef';
  const given = loadSettings({ POSTHORN_BOOTSTRAP_KEY: bootstrapKey });
  assert.deepEqual(installationKeys(given, dir), { ...keys, bootstrapKey });
  for (const text of ['{}', 'half']) {
    await writeFile(dir.join('keys.json'), text);
    assert.throws(() => installationKeys(loadSettings({}), dir), /keys\.json is damaged/);
  }
});
