import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

export interface TempDir {
  path: string;
  remove(): Promise<void>;
}

/** Creates an empty folder; the caller removes it. */
export async function makeTempDir(): Promise<TempDir> {
  const path = await mkdtemp(join(tmpdir(), 'posthorn-test-'));
  return { path, remove: () => rm(path, { recursive: true, force: true, maxRetries: 3 }) };
}

/** Creates an empty folder that is removed when the test ends. */
export async function tempDir(t: Pick<TestContext, 'after'>): Promise<string> {
  const dir = await makeTempDir();
  t.after(() => dir.remove());
  return dir.path;
}
