import { execFile } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { EnvHttpProxyAgent, fetch, type Response } from 'undici';
import { hashFile } from './binary-cache.ts';

// Without a network, fail early so that the next source is tried.
const CONNECT_TIMEOUT_MS = 3000;
const STALL_TIMEOUT_MS = 30_000;
const PROGRESS_STEP_BYTES = 10_000_000;

export interface Archive {
  /** A `.tar.gz` or `.tgz`. */
  url: string;
  /** Text with lines `<sha256> <file name>`, in the format of `sha256sum`. */
  checksumsUrl: string;
  /** File name of the program in the archive. */
  program: string;
}

/**
 * Downloads an archive into `dir`, verifies its SHA-256 and unpacks it there.
 *
 * @returns the path of the program
 * @throws Error if the host cannot be reached, the checksum differs, or the archive lacks the
 * program
 */
export async function fetchArchive(
  archive: Archive,
  dir: string,
  progress: (line: string) => void,
): Promise<string> {
  const agent = new EnvHttpProxyAgent({
    connect: { timeout: CONNECT_TIMEOUT_MS },
    headersTimeout: STALL_TIMEOUT_MS,
    bodyTimeout: STALL_TIMEOUT_MS,
  });
  const get = async (url: string): Promise<Response> => {
    const response = await fetch(url, { dispatcher: agent }).catch((error: Error) => {
      const cause = error.cause instanceof Error ? error.cause : error;
      throw new Error(`${new URL(url).host} cannot be reached (${cause.message})`, { cause });
    });
    if (!response.ok) throw new Error(`${url} answered ${response.status}`);
    return response;
  };
  const file = join(dir, basename(new URL(archive.url).pathname));
  try {
    const expected = findChecksum(await (await get(archive.checksumsUrl)).text(), basename(file));
    await save(await get(archive.url), file, progress);
    const actual = await hashFile(file);
    if (actual !== expected) throw new Error(`SHA-256 is ${actual}, but ${expected} is expected`);
  } finally {
    await agent.destroy();
  }
  await promisify(execFile)('tar', ['-xzf', file, '-C', dir]);
  return findFile(dir, archive.program);
}

/** Finds a file of this name in a folder or below it. */
export async function findFile(dir: string, name: string): Promise<string> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true });
  const found = entries.find((entry) => entry.isFile() && entry.name === name);
  if (found === undefined) throw new Error(`there is no ${name} in the archive`);
  return join(found.parentPath, found.name);
}

/** @throws Error if no line names the file */
export function findChecksum(text: string, file: string): string {
  for (const line of text.split('\n')) {
    const [sum = '', name = ''] = line.trim().split(/\s+/);
    if (name.replace('*', '') === file && /^[0-9a-f]{64}$/.test(sum)) return sum;
  }
  throw new Error(`no SHA-256 of ${file} is published`);
}

async function save(response: Response, file: string, progress: (line: string) => void) {
  const length = Number(response.headers.get('content-length') ?? 0);
  const ofAll = length === 0 ? '' : ` of ${megabytes(length)}`;
  let bytes = 0;
  const count = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const before = bytes;
      bytes += chunk.length;
      if (Math.floor(bytes / PROGRESS_STEP_BYTES) > Math.floor(before / PROGRESS_STEP_BYTES)) {
        progress(`${basename(file)}: ${megabytes(bytes)}${ofAll}`);
      }
      done(null, chunk);
    },
  });
  if (response.body === null) throw new Error('the answer has no body');
  await pipeline(Readable.fromWeb(response.body), count, createWriteStream(file));
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1_000_000)} MB`;
}
