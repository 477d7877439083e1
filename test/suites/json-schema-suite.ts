/**
 * The official test suite of JSON Schema. Its npm package names a git repository for its data,
 * which no registry serves. So it is taken from the source archive of `jsonschema` on PyPI, which
 * contains all of it.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { hashFile } from '#src/embedded/binary-cache.ts';

const VERSION = '4.26.0';
const SHA256 = '0c26707e2efad8aa1bfc5b7ce170f3fccc2e4918ff85989ba9ffa9facb2be326';

export interface SuiteGroup {
  file: string;
  description: string;
  schema: unknown;
  tests: { description: string; data: unknown; valid: boolean }[];
}

/**
 * Downloads the suite, verifies its SHA-256 and reads the groups for a draft. Leaves no files.
 *
 * @param path of a folder of the suite, like `draft2020-12` or `draft2020-12/optional`
 */
export async function readJsonSchemaSuite(...paths: string[]): Promise<SuiteGroup[]> {
  const dir = await mkdtemp(join(tmpdir(), 'json-schema-suite-'));
  try {
    const name = `jsonschema-${VERSION}`;
    const pip = ['-m', 'pip', '--disable-pip-version-check', 'download', '--no-deps'];
    const source = ['--no-binary=:all:', '-d', dir, `jsonschema==${VERSION}`];
    await run('python3', [...pip, ...source]);
    const archive = join(dir, `${name}.tar.gz`);
    const sha256 = await hashFile(archive);
    if (sha256 !== SHA256) throw new Error(`SHA-256 of ${name}.tar.gz is ${sha256}`);
    await run('tar', ['-xzf', archive, '-C', dir]);
    const groups = paths.map((path) => readGroups(join(dir, name, 'json/tests', path)));
    return (await Promise.all(groups)).flat();
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

async function readGroups(folder: string): Promise<SuiteGroup[]> {
  const files = (await readdir(folder)).filter((file) => file.endsWith('.json')).toSorted();
  const contents = files.map(async (file) => {
    const groups = JSON.parse(await readFile(join(folder, file), 'utf8')) as SuiteGroup[];
    return groups.map((group) => ({ ...group, file }));
  });
  return (await Promise.all(contents)).flat();
}

const run = promisify(execFile);
