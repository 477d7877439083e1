/**
 * `npm run check:placeholders -- prod`: rejects an environment that still contains a placeholder.
 */
import { projectText } from '../../docs/project-files.ts';
import { findPlaceholders } from './placeholders.ts';

const ENVIRONMENTS = ['dev', 'stage', 'prod'];
const [environment = ''] = process.argv.slice(2);

if (ENVIRONMENTS.includes(environment)) {
  const left = findPlaceholders(environment, projectText);
  for (const line of left) process.stderr.write(`${line}\n`);
  process.exitCode = left.length > 0 ? 1 : 0;
} else {
  process.stderr.write(`environment is "${environment}"; allowed: ${ENVIRONMENTS.join(', ')}\n`);
  process.exitCode = 2;
}
