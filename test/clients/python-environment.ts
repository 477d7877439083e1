import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { projectRoot } from '../docs/project-files.ts';
import { runProgram } from './run-program.ts';

/**
 * Creates a virtual environment with the packages of a requirements file, or reuses an earlier one.
 *
 * @param name of the client, whose folder has the file
 * @returns its `bin`
 */
export async function pythonEnvironment(name: string): Promise<string> {
  const requirements = join(projectRoot, 'test/clients', name, 'requirements.txt');
  const digest = createHash('sha256')
    .update(await readFile(requirements))
    .digest('hex');
  const place = join(projectRoot, '.cache/clients', `${name}-${digest.slice(0, 16)}`);
  const bin = join(place, 'bin');
  const done = join(bin, 'installed');
  if (existsSync(done)) return bin;
  const options = { cwd: projectRoot };
  await rm(place, { recursive: true, force: true });
  await runProgram('python3', ['-m', 'venv', place], options);
  const pip = ['-m', 'pip', 'install', '--quiet', '--requirement', requirements];
  await runProgram(join(bin, 'python'), pip, options);
  await runProgram('touch', [done], options);
  return bin;
}
