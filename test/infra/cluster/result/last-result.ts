/** The last result of `.ci/cluster`, as docs/operations/checks.md shows it. */
import { tools } from '../../tools.ts';
import { argoTools, clusterTools } from '../cluster-tools.ts';

export const RESULT_DOCUMENT = 'docs/operations/checks.md';
export const RESULT_COMMAND = '.ci/cluster';

interface StepResult {
  name: string;
  seconds: number;
  /** Passed tests; undefined for a step without tests. */
  passed: number | undefined;
}

/**
 * Reads the steps from the output of `.ci/cluster`.
 *
 * @throws Error if a step has not passed, or has skipped a test
 */
export function readSteps(log: string): StepResult[] {
  const steps = log
    .split(/^=== (?=\w+: (?!passed))/m)
    .slice(1)
    .map((text) => {
      const name = /^\w+/.exec(text)?.[0] ?? '';
      const seconds = /^=== \w+: passed in (\d+) s$/m.exec(text)?.[1];
      if (seconds === undefined) throw new Error(`${name} has not passed`);
      const count = (word: string): number | undefined => {
        const found = new RegExp(`^\\W+ ${word} (\\d+)$`, 'm').exec(text)?.[1];
        return found === undefined ? undefined : Number(found);
      };
      if ((count('skipped') ?? 0) > 0) throw new Error(`${name} has skipped tests`);
      return { name, seconds: Number(seconds), passed: count('pass') };
    });
  if (steps.length === 0) throw new Error('there are no steps in the log');
  return steps;
}

/** The programs that `.ci/cluster` builds, with their versions. */
export const builtVersions = (): string[] =>
  Object.values({ ...clusterTools, ...argoTools, helm: tools.helm }).map(
    ({ name, version }) => `${name} ${version}`,
  );

/** @param about date, commit and machine */
export function showResult(steps: StepResult[], about: string, installed: string[]): string {
  const rows = steps.map(({ name, seconds, passed }) => {
    const tests = passed === undefined ? '' : `${passed} ${passed === 1 ? 'test' : 'tests'}`;
    return `| ${name} | ${(seconds / 60).toFixed(1)} | ${tests} |`;
  });
  const table = ['| Step | Minutes | Passed |', '| --- | --- | --- |', ...rows].join('\n');
  return `${about}\n\n${table}\n\nBuilt: ${builtVersions().join(', ')}. Installed: ${installed.join(', ')}.`;
}
