/** Figures that the driver does not take: `npm run bench:case -- due-at-once idle-tenants`. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { broadcast } from './cases/broadcast.ts';
import { dueAtOnce } from './cases/due-at-once.ts';
import { idleTenants } from './cases/idle-tenants.ts';
import { liveTail } from './cases/live-tail.ts';
import { replay } from './cases/replay.ts';
import { tracing } from './cases/tracing.ts';
import { type System, startSystem, stopSystem } from './system.ts';

type Case = (dataDir: string) => Promise<Record<string, unknown>>;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    /** Of `tracing`: pairs of runs at each load, and how long one is. */
    pairs: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '20' },
    /** Of `replay`: a multiple of 500. */
    events: { type: 'string', default: '100000' },
  },
});

const cases: Record<string, Case> = {
  broadcast: onFreshSystem(broadcast),
  'due-at-once': onFreshSystem(dueAtOnce),
  'idle-tenants': idleTenants,
  'live-tail': onFreshSystem(liveTail),
  replay: onFreshSystem((system) => replay(system, wholeNumber('events'))),
  tracing: () => tracing({ pairs: wholeNumber('pairs'), seconds: wholeNumber('seconds') }),
};

function wholeNumber(name: 'pairs' | 'seconds' | 'events'): number {
  const value = Number(values[name]);
  if (!Number.isInteger(value) || value < 1) throw new Error(`--${name}: a number from 1`);
  return value;
}

function onFreshSystem(run: (system: System) => Promise<Record<string, unknown>>): Case {
  return async (dataDir) => {
    const system = await startSystem(dataDir);
    try {
      return await run(system);
    } finally {
      await stopSystem(system);
    }
  };
}

for (const name of positionals) {
  const run = cases[name];
  if (run === undefined) {
    throw new Error(`no case ${name}; there are ${Object.keys(cases).join(', ')}`);
  }
  const dataDir = mkdtempSync(join(tmpdir(), 'posthorn-case-'));
  try {
    console.log(name, JSON.stringify(await run(dataDir), undefined, 2));
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
}
