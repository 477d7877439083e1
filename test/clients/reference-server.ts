import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TempDir, makeTempDir } from '#testkit/temp-dir.ts';
import { PosthornProcess } from '../e2e/posthorn-process.ts';

/** A system started as its README describes, with its OpenAPI document as a file. */
export interface ReferenceServer {
  apiUrl: string;
  /** A platform key. */
  key: string;
  /** Path of the document. */
  document: string;
  /** A folder for files of the test, which is removed with the server. */
  dir: string;
  stop(): Promise<void>;
}

/** Starts a server on free ports with its own data. */
export async function startReferenceServer(): Promise<ReferenceServer> {
  const dir: TempDir = await makeTempDir();
  const system = new PosthornProcess(join(dir.path, 'data'));
  const stop = async (): Promise<void> => {
    await system.end();
    await dir.remove();
  };
  try {
    const { apiUrl, key } = await system.banner();
    const response = await fetch(`${apiUrl}/openapi.json`);
    if (response.status !== 200) throw new Error(`/openapi.json answers ${response.status}`);
    const document = join(dir.path, 'openapi.json');
    await writeFile(document, await response.text());
    return { apiUrl, key, document, dir: dir.path, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
