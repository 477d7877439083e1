/**
 * Builds the engine that `test/engine.check.ts` runs, once, in some minutes, and caches it.
 * It needs Go 1.26 or later. `npm run tools` runs it.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { toolPath, toolsDirectory } from '../../test/infra/tools.ts';
import { engineTool } from './engine-tool.ts';

const MODULE = fileURLToPath(new URL('engine', import.meta.url));
const PACKAGE = 'github.com/pulumi/pulumi/pkg/v3/cmd/pulumi';
const TIMEOUT_MS = 60 * 60_000;
const say = (line: string): void => void process.stderr.write(`${line}\n`);

/** Into a folder next to its place, then renamed: there is never half an engine. */
async function install(): Promise<void> {
  const { name, version } = engineTool;
  const path = toolPath(engineTool);
  if (existsSync(path)) return say(`${name} ${version} is there`);
  say(`building ${name} ${version}`);
  await mkdir(toolsDirectory(), { recursive: true });
  const dir = await mkdtemp(join(toolsDirectory(), '.fetch-'));
  try {
    // An engine without a version is refused by the library that drives it.
    const versionVariable = 'github.com/pulumi/pulumi/sdk/v3/go/common/version.Version';
    const flags = `-s -w -X ${versionVariable}=${version}`;
    const args = ['build', '-mod=readonly', '-ldflags', flags, '-o', join(dir, name), PACKAGE];
    await promisify(execFile)('go', args, { cwd: MODULE, timeout: TIMEOUT_MS });
    await rm(dirname(path), { recursive: true, force: true });
    await rename(dir, dirname(path));
    say(`it is ${path}`);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

await install();
