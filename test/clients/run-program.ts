import { execFile } from 'node:child_process';

export interface ProgramOptions {
  cwd: string;
  env?: Record<string, string>;
}

const TIMEOUT_MS = 280_000;
const OUTPUT_BYTES_MAX = 64 * 1024 * 1024;

/**
 * Runs a program to its end.
 *
 * @returns what it wrote, standard error after standard output
 * @throws Error with that, if the program fails or takes longer than 280 s
 */
export function runProgram(
  program: string,
  args: readonly string[],
  { cwd, env = {} }: ProgramOptions,
): Promise<string> {
  const options = {
    cwd,
    env: { ...process.env, ...env },
    timeout: TIMEOUT_MS,
    maxBuffer: OUTPUT_BYTES_MAX,
  };
  return new Promise((resolve, reject) => {
    execFile(program, args, options, (error, stdout, stderr) => {
      const output = `${stdout}${stderr}`;
      if (error === null) resolve(output);
      else reject(new Error(`${program} ${args.join(' ')}: ${error.message}\n${output}`));
    });
  });
}
