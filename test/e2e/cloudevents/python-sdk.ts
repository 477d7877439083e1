import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { makeTempDir } from '#testkit/temp-dir.ts';
import type { Message, ParsedEvent, Sdk } from './sdk.ts';

const run = promisify(execFile);
const here = import.meta.dirname;
const INSTALL_MS_MAX = 300_000;

/** The `cloudevents` package of Python, in its own virtual environment. */
export async function pythonSdk(): Promise<Sdk & { remove(): Promise<void> }> {
  const dir = await makeTempDir();
  const python = join(dir.path, 'bin', 'python');
  const options = { timeout: INSTALL_MS_MAX };
  await run('python3', ['-m', 'venv', dir.path], options);
  const install = ['-m', 'pip', 'install', '--quiet', '-r', join(here, 'requirements.txt')];
  await run(python, install, options);
  const convert = (requests: object[]) => converted(python, requests);
  return {
    name: 'Python',
    write: (events, mode) =>
      convert(events.map((write) => ({ write, mode }))) as Promise<Message[]>,
    read: (messages) => convert(messages.map((read) => ({ read }))) as Promise<ParsedEvent[]>,
    remove: () => dir.remove(),
  };
}

async function converted(python: string, requests: object[]): Promise<unknown[]> {
  const child = spawn(python, [join(here, 'convert.py')], { stdio: ['pipe', 'pipe', 'pipe'] });
  const output = Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  child.stdin.end(requests.map((request) => `${JSON.stringify(request)}\n`).join(''));
  const [lines, errors, [code]] = await output;
  if (code !== 0) throw new Error(`convert.py: ${errors}`);
  return lines
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);
}
