import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { toolPath, tools } from './tools.ts';

const run = promisify(execFile);

/**
 * Starts Alertmanager with a configuration, and ends it once that is loaded.
 *
 * @param dir an empty folder for its data
 * @throws AssertionError if it refuses the configuration
 */
export async function assertAlertmanagerLoads(file: string, dir: string): Promise<void> {
  const listen = ['--web.listen-address=127.0.0.1:0', '--cluster.listen-address='];
  const args = [`--config.file=${file}`, `--storage.path=${dir}`, ...listen];
  const started = run(toolPath(tools.alertmanager), args, { timeout: 60_000 });
  const loaded = new Promise<boolean>((resolve) => {
    started.child.stderr?.on('data', (chunk: Buffer) => {
      const line = chunk.toString();
      if (line.includes('Completed loading of configuration file')) resolve(true);
      if (line.includes('Loading configuration file failed')) resolve(false);
    });
  });
  const ended = started.then(
    () => false,
    () => false,
  );
  const isLoaded = await Promise.race([loaded, ended]);
  started.child.kill();
  await ended;
  assert.ok(isLoaded);
}
