/**
 * `npm run result:cluster -- LOG`: writes the result of `.ci/cluster` into the document, and prints
 * it.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { replacePart } from '../../../docs/generated.ts';
import { projectRoot, projectText } from '../../../docs/project-files.ts';
import { readSteps, RESULT_COMMAND, RESULT_DOCUMENT, showResult } from './last-result.ts';

const printed = (program: string, ...args: string[]): string =>
  execFileSync(program, args, { cwd: projectRoot, encoding: 'utf8' });

const [log] = process.argv.slice(2);
if (log === undefined) throw new Error('the log is required: npm run result:cluster -- LOG');
const steps = readSteps(readFileSync(log, 'utf8'));
const commit = printed('git', 'rev-parse', 'HEAD').trim();
const system = /^PRETTY_NAME="(.*)"$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1];
const date = new Date().toISOString().slice(0, 10);
const about = `${date}, commit \`${commit}\`, ${availableParallelism()} processors, ${system}:`;
const installed = ['buildah', 'umoci', 'runc'].map(
  (program) => `${program} ${/\d+\.\d+\.\d+/.exec(printed(program, '--version'))?.[0]}`,
);
const result = showResult(steps, about, [`Node ${process.versions.node}`, ...installed]);
const text = replacePart(projectText(RESULT_DOCUMENT), 'last result', result, RESULT_COMMAND);
writeFileSync(join(projectRoot, RESULT_DOCUMENT), text);
console.log(result);
