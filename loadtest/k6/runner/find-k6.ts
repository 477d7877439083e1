/** Finds k6: K6_BIN, the PATH, the cache, or else a build by `go install`, once. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

const VERSION = 'v1.8.1';

/** @throws Error with the ways to install it */
export function findK6(env: Record<string, string | undefined>): string {
  if (env['K6_BIN'] !== undefined) return env['K6_BIN'];
  if (spawnSync('k6', ['version']).status === 0) return 'k6';
  const folder = join(
    env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'),
    'posthorn',
    `k6-${VERSION}`,
  );
  const binary = join(folder, 'k6');
  if (existsSync(binary)) return binary;
  if (spawnSync('go', ['version']).status !== 0) {
    throw new Error('k6 is needed: install it (https://grafana.com/docs/k6), or Go, or set K6_BIN');
  }
  process.stderr.write(`building k6 ${VERSION}, once, some minutes\n`);
  mkdirSync(folder, { recursive: true });
  execFileSync('go', ['install', `go.k6.io/k6@${VERSION}`], {
    env: { ...env, GOBIN: folder },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return binary;
}
