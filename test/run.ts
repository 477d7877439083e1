/**
 * Runs the tests: `node test/run.ts [unit] [--coverage] [options of node --test]`.
 *
 * Unit tests share one process: a process for each of their files costs more than the tests.
 * All others have a process for each file, as they start servers and end with them.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { checkCoverage } from './coverage/check.ts';

/** Files at the same time. Tests on servers wait more than they compute. */
const CONCURRENCY = 4;

const root = join(import.meta.dirname, '..');
const coverageFolder = join(root, 'coverage');

const phases = {
  unit: ['--test-isolation=none', 'test/unit/**/*.test.ts'],
  servers: [
    `--test-concurrency=${CONCURRENCY}`,
    '--test-global-setup=test/global-setup.ts',
    'test/!(unit)/**/*.test.ts',
  ],
} as const;

type Phase = keyof typeof phases;

/** Runs a phase to its end. @returns whether every test passed */
function runPhase(phase: Phase, options: readonly string[], withCoverage: boolean): boolean {
  const env = { ...process.env };
  const coverage = withCoverage ? coverageOptions(phase) : [];
  // Compiled code from the cache makes the counts of V8 less precise.
  if (!withCoverage) env['NODE_COMPILE_CACHE'] ??= join(root, 'node_modules/.cache/posthorn');
  const args = ['--test', ...coverage, ...options, ...phases[phase]];
  return spawnSync(process.execPath, args, { cwd: root, env, stdio: 'inherit' }).status === 0;
}

function coverageOptions(phase: Phase): string[] {
  return [
    '--experimental-test-coverage',
    '--test-coverage-include=src/**',
    '--test-reporter=spec',
    '--test-reporter-destination=stdout',
    '--test-reporter=lcov',
    `--test-reporter-destination=${join(coverageFolder, `${phase}.lcov`)}`,
  ];
}

const [first, ...rest] = process.argv.slice(2);
const chosen: Phase[] = first === 'unit' ? ['unit'] : ['unit', 'servers'];
const given = first === undefined || first === 'unit' ? rest : [first, ...rest];
const withCoverage = given.includes('--coverage');
const options = given.filter((option) => option !== '--coverage');

rmSync(coverageFolder, { recursive: true, force: true });
if (withCoverage) mkdirSync(coverageFolder);
const passed = chosen.every((phase) => runPhase(phase, options, withCoverage));
const covered = !passed || !withCoverage || checkCoverage(root, coverageFolder);
process.exitCode = passed && covered ? 0 : 1;
