/**
 * `npm run --silent make:secrets -- --format json`: prints new secrets of an installation. The
 * public key that NATS needs goes to standard error.
 *
 * `json`: for Secrets Manager, with all keys of an environment (`--environment prod`). `env`: for
 * `kubectl create secret --from-env-file`. `settings`: for a process without Kubernetes. With
 * `--mongodb operator` the URL names the MongoDB in the cluster.
 */
import { parseArgs } from 'node:util';
import { parse } from 'yaml';
import { type AppsValues, furtherKeys } from '../../../pulumi/preflight/further-keys.ts';
import { projectText } from '../../docs/project-files.ts';
import { makeSecrets, settingsOfKeys, TO_REPLACE } from './secret-keys.ts';

const FORMATS = ['json', 'env', 'settings'];
const ENVIRONMENTS = ['dev', 'stage', 'prod'];

const MONGODB = ['external', 'operator'];

function print(format: string, environment: string, mode: string): void {
  const file = `argocd/environments/${environment}/apps.yaml`;
  const apps = environment === '' ? {} : (parse(projectText(file)) as AppsValues);
  const further = furtherKeys({ mongodb: { mode }, ...apps });
  // The environments have a user of NATS for each role.
  const { values, issuer } = makeSecrets(further, environment !== '');
  const settings = settingsOfKeys(projectText('charts/posthorn/templates/_secrets.tpl'));
  const lines = Object.entries(values).map(
    ([key, value]) => `${format === 'env' ? key : settings.get(key)}=${value}`,
  );
  console.log(format === 'json' ? JSON.stringify(values, undefined, 2) : lines.join('\n'));
  const open = Object.keys(values).filter((key) => values[key] === TO_REPLACE);
  console.error(`auth_callout.issuer of NATS: ${issuer}`);
  console.error(`replace by hand: ${open.join(', ')}`);
}

const { values } = parseArgs({
  options: {
    format: { type: 'string', default: '' },
    environment: { type: 'string', default: '' },
    mongodb: { type: 'string', default: 'external' },
  },
});
if (!FORMATS.includes(values.format)) {
  console.error(`--format is "${values.format}"; allowed: ${FORMATS.join(', ')}`);
  process.exitCode = 2;
} else if (!['', ...ENVIRONMENTS].includes(values.environment)) {
  console.error(`--environment is "${values.environment}"; allowed: ${ENVIRONMENTS.join(', ')}`);
  process.exitCode = 2;
} else if (!MONGODB.includes(values.mongodb)) {
  console.error(`--mongodb is "${values.mongodb}"; allowed: ${MONGODB.join(', ')}`);
  process.exitCode = 2;
} else {
  print(values.format, values.environment, values.mongodb);
}
