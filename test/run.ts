/**
 * Runs the tests: `node test/run.ts [unit] [--coverage] [options of node --test]`.
 *
 * Unit tests share one process: a process for each of their files costs more than the tests. Their
 * coverage is counted: that of other tests is not, as they test processes that they start.
 * All others have a process for each file, as they start servers and end with them. The chaos test
 * runs alone: its bounds on repeated webhooks hold while leases are renewed in time.
 */
import { spawnSync } from 'node:child_process';
import { globSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { checkCoverage } from './coverage/check.ts';

/** Files at the same time. Tests on servers wait more than they compute. */
const CONCURRENCY = 3;
const ALONE = 'test/e2e/faults/chaos.test.ts';

const root = join(import.meta.dirname, '..');
const coverageFolder = join(root, 'coverage');

const coverageOptions = [
  '--experimental-test-coverage',
  '--test-coverage-include=src/**',
  '--test-reporter=spec',
  '--test-reporter-destination=stdout',
  '--test-reporter=lcov',
  `--test-reporter-destination=${join(coverageFolder, 'unit.lcov')}`,
];

const phases = {
  unit: ['--test-isolation=none', 'test/unit/**/*.test.ts'],
  servers: [
    `--test-concurrency=${CONCURRENCY}`,
    '--test-global-setup=test/global-setup.ts',
    ...globSync('test/!(unit)/**/*.test.ts', { cwd: root, exclude: [ALONE] }),
  ],
  alone: [ALONE],
} as const;

type Phase = keyof typeof phases;

/**
 * Runs a phase to its end.
 *
 * @returns whether every test passed
 */
function runPhase(phase: Phase, options: readonly string[], withCoverage: boolean): boolean {
  const env = { ...process.env };
  const coverage = withCoverage ? coverageOptions : [];
  // Compiled code from the cache makes the counts of V8 less precise.
  if (!withCoverage) env['NODE_COMPILE_CACHE'] ??= join(root, 'node_modules/.cache/posthorn');
  const args = ['--test', ...coverage, ...options, ...phases[phase]];
  return spawnSync(process.execPath, args, { cwd: root, env, stdio: 'inherit' }).status === 0;
}

const [first, ...rest] = process.argv.slice(2);
const chosen: Phase[] = first === 'unit' ? ['unit'] : ['unit', 'servers', 'alone'];
const given = first === undefined || first === 'unit' ? rest : [first, ...rest];
const withCoverage = given.includes('--coverage');
const options = given.filter((option) => option !== '--coverage');

rmSync(coverageFolder, { recursive: true, force: true });
if (withCoverage) mkdirSync(coverageFolder);
const passed = chosen.every((phase) => runPhase(phase, options, withCoverage && phase === 'unit'));
const covered = !passed || !withCoverage || checkCoverage(coverageFolder);
process.exitCode = passed && covered ? 0 : 1;
