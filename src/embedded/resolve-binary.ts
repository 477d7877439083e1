import { access, chmod, constants, rm } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { BinaryCache, cacheDirectory } from './binary-cache.ts';
import { isVersionAtLeast, type Program, readVersion } from './program.ts';

/** A source of a program. It verifies the checksum of the downloaded file. */
export interface BinarySource {
  name: string;
  /**
   * Fetches the program into `dir`, an empty folder, and returns the path of the binary in it.
   *
   * @throws Error with the reason
   */
  fetch(dir: string, progress: (line: string) => void): Promise<string>;
}

export interface ResolveBinaryDeps {
  /** `PATH` of the environment. */
  path: string | undefined;
  cacheDir: string;
  /** Tried in order. */
  sources: BinarySource[];
  /** Prints one line of progress, for example a download or a skipped binary with the reason. */
  report: (line: string) => void;
  /** The time since 1970. */
  nowMs: () => number;
}

/**
 * Finds a program: on the PATH, in the cache, or else from the first source that has it.
 *
 * @returns its path
 * @throws Error that lists the remedies and why each try failed
 */
export async function resolveBinary(program: Program, deps: ResolveBinaryDeps): Promise<string> {
  const onPath = await findOnPath(program, deps);
  if (onPath !== undefined) return onPath;
  const cache = new BinaryCache(deps.cacheDir, deps.nowMs);
  const cached = await cache.find(program, deps.report);
  if (cached !== undefined) return cached;
  const failures: string[] = [];
  for (const source of deps.sources) {
    try {
      deps.report(`fetching ${program.name} from ${source.name}`);
      return await fetchInto(cache, program, source, deps.report);
    } catch (error) {
      failures.push(`${source.name}: ${(error as Error).message}`);
      deps.report(`  failed: ${(error as Error).message}`);
    }
  }
  throw new Error(notFoundText(program, deps, failures));
}

async function fetchInto(
  cache: BinaryCache,
  program: Program,
  source: BinarySource,
  report: (line: string) => void,
): Promise<string> {
  const dir = await cache.makeFetchDir();
  try {
    const binary = await source.fetch(dir, report);
    await chmod(binary, 0o755);
    return await cache.add(program, await usableVersion(program, binary), binary);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/**
 * Dependencies of a process: its PATH and its cache folder. For `homeless` see `cacheDirectory`.
 */
export function resolveDeps(
  env: Record<string, string | undefined>,
  cacheDirSetting: string | undefined,
  homeless?: string,
): Pick<ResolveBinaryDeps, 'path' | 'cacheDir'> {
  return {
    path: env['PATH'],
    cacheDir: cacheDirectory(cacheDirSetting, env['XDG_CACHE_HOME'], homeless),
  };
}

async function findOnPath(program: Program, deps: ResolveBinaryDeps): Promise<string | undefined> {
  for (const dir of (deps.path ?? '').split(delimiter)) {
    if (dir === '') continue;
    const binary = join(dir, program.name);
    try {
      await access(binary, constants.X_OK);
    } catch {
      continue;
    }
    try {
      await usableVersion(program, binary);
      return binary;
    } catch (error) {
      deps.report(`${binary} is skipped: ${(error as Error).message}`);
    }
  }
  return undefined;
}

async function usableVersion(program: Program, binary: string): Promise<string> {
  const version = await readVersion(binary);
  if (!isVersionAtLeast(version, program.versionMin)) {
    throw new Error(`version ${version}, but ${program.versionMin} or later is needed`);
  }
  return version;
}

function notFoundText(program: Program, deps: ResolveBinaryDeps, failures: string[]): string {
  const tried = [
    `PATH: no ${program.name} ${program.versionMin} or later`,
    `cache ${deps.cacheDir}: empty`,
    ...failures,
  ];
  return `${program.name} is required, but was not found.
Remedies:
  set ${program.urlSetting} to a server that runs already,
  or install ${program.name} ${program.versionMin} or later so that it is on the PATH,
  or run everything in containers: docker compose up
Tried:
${tried.map((line) => `  ${line.split('\n').join('\n    ')}`).join('\n')}`;
}
