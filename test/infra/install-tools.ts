/**
 * Fetches the tools that the cache lacks, one at a time, and builds the schemas, before the checks
 * run.
 */
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { provideGo } from './go-toolchain.ts';
import { installTool } from './install-tool.ts';
import { makeSchemas } from './schemas/make-schemas.ts';
import { toolPath, tools, toolsDirectory, toolsRequired } from './tools.ts';

const TIMEOUT_MS = 8 * 60_000;
const say = (line: string) => void process.stderr.write(`${line}\n`);

export async function globalSetup(): Promise<void> {
  const missing = (what: string, error: unknown): void => {
    if (toolsRequired()) throw new Error(`${what} cannot be had`, { cause: error });
    say(`  ${what} cannot be had: ${lastLine(error)}`);
  };
  await mkdir(toolsDirectory(), { recursive: true });
  await provideGo(TIMEOUT_MS).catch((error: unknown) => missing('Go', error));
  for (const tool of Object.values(tools)) {
    if (existsSync(toolPath(tool))) continue;
    say(`fetching ${tool.name} ${tool.version}`);
    await installTool(tool, TIMEOUT_MS).catch((error: unknown) =>
      missing(`${tool.name} ${tool.version}`, error),
    );
  }
  await makeSchemas(say).catch((error: unknown) => missing('the schemas', error));
}

function lastLine(error: unknown): string {
  const { stderr, message } = error as { stderr?: string; message: string };
  return (stderr?.trim() || message).split('\n').at(-1) ?? message;
}
