import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { isVersionAtLeast, type Program } from './program.ts';

const FETCH_PREFIX = '.fetch-';
const FETCH_AGE_MS_MAX = 3600_000;
const HASHED_AT_ONCE_BYTES = 1024 * 1024;

/**
 * A cache of fetched binaries. A file is named `<program>-<version>-<sha256>`, so that one rename
 * publishes a binary together with its checksum. A crash leaves no partial file, and two processes
 * that fetch at the same time write the same file.
 */
export class BinaryCache {
  readonly dir: string;

  private readonly nowMs: () => number;

  /** @param nowMs the time since 1970 */
  constructor(dir: string, nowMs: () => number) {
    this.dir = dir;
    this.nowMs = nowMs;
  }

  /** Finds the newest valid binary of a program. Removes damaged ones and reports them. */
  async find(program: Program, report: (line: string) => void): Promise<string | undefined> {
    const files = await readdir(this.dir).catch(() => []);
    const entries = files
      .map((file) => parseName(program, file))
      .filter((entry) => entry !== undefined);
    entries.sort((a, b) => (isVersionAtLeast(a.version, b.version) ? -1 : 1));
    for (const { file, version, sha256 } of entries) {
      const path = join(this.dir, file);
      if (!isVersionAtLeast(version, program.versionMin)) continue;
      if ((await hashFile(path)) === sha256) return path;
      report(`${path} is damaged and is fetched again`);
      await rm(path, { force: true });
    }
    return undefined;
  }

  /**
   * Creates a new folder in the cache for a fetch. Binaries in it can be run, and renamed into the
   * cache. The caller removes it; folders that a killed process left are removed here.
   */
  async makeFetchDir(): Promise<string> {
    await mkdir(this.dir, { recursive: true });
    const sinceMs = this.nowMs() - FETCH_AGE_MS_MAX;
    for (const name of await readdir(this.dir)) {
      const path = join(this.dir, name);
      if (name.startsWith(FETCH_PREFIX) && (await isOlderThan(path, sinceMs))) {
        await rm(path, { recursive: true, force: true });
      }
    }
    return mkdtemp(join(this.dir, FETCH_PREFIX));
  }

  /** Moves a binary out of a fetch folder into the cache and returns its path. */
  async add(program: Program, version: string, binary: string): Promise<string> {
    const path = join(this.dir, `${program.name}-${version}-${await hashFile(binary)}`);
    await rename(binary, path);
    return path;
  }
}

async function isOlderThan(path: string, sinceMs: number): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return found !== undefined && found.mtimeMs < sinceMs;
}

/**
 * Returns the folder of the XDG base directory specification, unless the setting names one.
 *
 * @param homeless the folder for a user without a home, as in a container with an arbitrary user id
 */
export function cacheDirectory(
  setting: string | undefined,
  xdgCacheHome: string | undefined,
  homeless = '.posthorn-cache',
): string {
  if (setting !== undefined) return resolve(setting);
  if (xdgCacheHome) return resolve(xdgCacheHome, 'posthorn');
  const home = homeFolder();
  return home === undefined ? resolve(homeless) : resolve(home, '.cache', 'posthorn');
}

function homeFolder(): string | undefined {
  try {
    return homedir() || undefined;
  } catch {
    return undefined; // The user has no entry in the system's list.
  }
}

/**
 * Returns the SHA-256 of a file, in hex. Reads into one buffer: the chunks of a stream over a file
 * of 100 MB would stay in the process as unused memory.
 */
export async function hashFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  const buffer = Buffer.allocUnsafeSlow(HASHED_AT_ONCE_BYTES);
  await using file = await open(path);
  for (;;) {
    const { bytesRead } = await file.read(buffer);
    if (bytesRead === 0) return hash.digest('hex');
    hash.update(buffer.subarray(0, bytesRead));
  }
}

function parseName(program: Program, file: string) {
  if (!file.startsWith(`${program.name}-`)) return undefined;
  const match = /^(\d+\.\d+\.\d+)-([0-9a-f]{64})$/.exec(file.slice(program.name.length + 1));
  if (match === null) return undefined;
  return { file, version: match[1] as string, sha256: match[2] as string };
}
