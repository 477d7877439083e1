/** Figures that the driver does not take: `npm run bench:case -- due-at-once idle-tenants`. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { broadcast } from './cases/broadcast.ts';
import { dueAtOnce } from './cases/due-at-once.ts';
import { idleTenants } from './cases/idle-tenants.ts';
import { type System, startSystem, stopSystem } from './system.ts';

type Case = (dataDir: string) => Promise<Record<string, unknown>>;

const cases: Record<string, Case> = {
  broadcast: onFreshSystem(broadcast),
  'due-at-once': onFreshSystem(dueAtOnce),
  'idle-tenants': idleTenants,
};

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

for (const name of process.argv.slice(2)) {
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
