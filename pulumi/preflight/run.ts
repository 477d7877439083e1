/**
 * `npm run preflight -- --stack prod`: compares the AWS account with the needs of a stack, and says
 * what to raise. It reads only, and exits with 1 after a fault and with 2 after wrong use.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { parse } from 'yaml';
import { ConfigError, type Settings, readSettings } from '../src/config.ts';
import { readStackFile, stacks } from '../stack-file.ts';
import { readAccount } from './aws-account.ts';
import { preflightFindings } from './findings.ts';
import { type AppsValues, furtherKeys } from './further-keys.ts';

const MARKS = { ok: 'ok   ', fault: 'FAULT', later: 'later' } as const;

function valuesOf({ environment }: Settings, file: string): unknown {
  const path = `../../argocd/environments/${environment}/${file}`;
  return parse(readFileSync(new URL(path, import.meta.url), 'utf8'));
}

/** The hosts of the Ingress of an environment. */
function hostsOf(settings: Settings): string[] {
  const { ingress } = valuesOf(settings, 'posthorn.yaml') as {
    ingress?: { publishHost?: string; apiHost?: string };
  };
  return [ingress?.publishHost, ingress?.apiHost].filter((host) => host !== undefined);
}

function furtherKeysOf(settings: Settings): string[] {
  const mongodb = { mode: settings.mongodbMode };
  return furtherKeys({ ...(valuesOf(settings, 'apps.yaml') as AppsValues), mongodb });
}

function settingsOf(stack: string): Settings {
  const file: Record<string, unknown> = readStackFile(stack);
  // Encrypted values are objects; the preflight needs none of them.
  const plain = Object.entries(file).filter(([, value]) => typeof value === 'string');
  return readSettings(Object.fromEntries(plain) as Record<string, string>);
}

async function run(stack: string): Promise<void> {
  const settings = settingsOf(stack);
  const git = { hosts: hostsOf(settings), furtherKeys: furtherKeysOf(settings) };
  const facts = await readAccount(settings, {});
  const findings = await preflightFindings(settings, git, facts, new Date());
  for (const { level, text } of findings) process.stdout.write(`${MARKS[level]} ${text}\n`);
  if (findings.some(({ level }) => level === 'fault')) process.exitCode = 1;
}

const { stack } = parseArgs({ options: { stack: { type: 'string', default: '' } } }).values;
if ((stacks as readonly string[]).includes(stack)) {
  await run(stack).catch((error: unknown) => {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 2;
  });
} else {
  process.stderr.write(`--stack is "${stack}"; allowed: ${stacks.join(', ')}\n`);
  process.exitCode = 2;
}
