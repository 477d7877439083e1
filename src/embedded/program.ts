import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** A server that Posthorn can run as its child process. */
export interface Program {
  name: 'nats-server' | 'mongod';
  versionMin: string;
  /** The setting that replaces the embedded server. */
  urlSetting: 'POSTHORN_NATS_URL' | 'POSTHORN_MONGODB_URL';
}

export const natsServer: Program = {
  name: 'nats-server',
  versionMin: '2.14.0',
  urlSetting: 'POSTHORN_NATS_URL',
};

export const mongod: Program = {
  name: 'mongod',
  versionMin: '6.0.0',
  urlSetting: 'POSTHORN_MONGODB_URL',
};

/**
 * Reads the version from `<binary> --version`, for example `2.15.1`.
 *
 * @throws Error if the program cannot be run or prints no version
 */
export async function readVersion(binary: string): Promise<string> {
  const { stdout } = await promisify(execFile)(binary, ['--version'], { timeout: 10_000 });
  const version = /\bv?(\d+\.\d+\.\d+)/.exec(stdout)?.[1];
  if (version === undefined) throw new Error(`${binary} --version names no version`);
  return version;
}

/** Compares by numbers, so that 2.9.0 is older than 2.14.0. */
export function isVersionAtLeast(version: string, minimum: string): boolean {
  const have = version.split('.').map(Number);
  const need = minimum.split('.').map(Number);
  for (let i = 0; i < need.length; i++) {
    const difference = (have[i] ?? 0) - (need[i] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return true;
}
