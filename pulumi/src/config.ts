import { isPrivateNetwork } from './address-plan.ts';
import { type SettingRule, settingTable } from './setting-table.ts';

/** The project of `Pulumi.yaml`: the prefix of each key. */
const PROJECT = 'posthorn';

type Table = typeof settingTable;
type Key = keyof Table;
interface Kinds {
  text: string;
  integer: number;
  flag: boolean;
  list: readonly string[];
}

/** The settings of a stack, checked. */
export type Settings = { readonly [K in Key]: Kinds[Table[K]['kind']] };

/** A wrong, missing or unknown key, with the allowed values. */
export interface ConfigFault {
  key: string;
  problem: string;
}

/** Lists every fault of a stack's configuration in one message. */
export class ConfigError extends Error {
  readonly faults: readonly ConfigFault[];

  constructor(faults: readonly ConfigFault[]) {
    const lines = faults.map(({ key, problem }) => `  ${PROJECT}:${key}: ${problem}`);
    super(`The configuration of this stack has ${faults.length} faults:\n${lines.join('\n')}`);
    this.name = 'ConfigError';
    this.faults = faults;
  }
}

/** @returns the value, or undefined if the text is not what the rule allows */
function parseValue(rule: SettingRule, raw: string): Kinds[keyof Kinds] | undefined {
  const matches = (item: unknown): item is string =>
    typeof item === 'string' && (rule.pattern === undefined || rule.pattern.test(item));
  switch (rule.kind) {
    case 'text':
      return matches(raw) ? raw : undefined;
    case 'flag':
      return raw === 'true' || raw === 'false' ? raw === 'true' : undefined;
    case 'integer': {
      if (!/^\d{1,9}$/.test(raw)) return undefined;
      const value = Number(raw);
      if (value < (rule.min ?? 0) || value > (rule.max ?? Infinity)) return undefined;
      return rule.oneOf === undefined || rule.oneOf.includes(value) ? value : undefined;
    }
    case 'list': {
      const items = parseList(raw);
      if (items === undefined || !items.every(matches)) return undefined;
      if (items.length < (rule.min ?? 0) || items.length > (rule.max ?? Infinity)) return undefined;
      return new Set(items).size === items.length ? items : undefined;
    }
  }
}

function parseList(raw: string): unknown[] | undefined {
  try {
    const value: unknown = JSON.parse(raw);
    return Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Checks the combinations of keys, which no single rule can judge. */
function crossFaults(settings: Settings): ConfigFault[] {
  const faults: ConfigFault[] = [];
  const demand = (holds: boolean, key: Key, problem: string): void => {
    if (!holds) faults.push({ key, problem });
  };
  const { region, recoveryRegion, site, zones } = settings;
  const recovery = site === 'recovery';
  demand(
    settings.vpcCidr.endsWith('/16') && isPrivateNetwork(settings.vpcCidr),
    'vpcCidr',
    'has to be a private /16 network that begins at its first address, such as 10.40.0.0/16',
  );
  demand(
    settings.apiClientCidrs.every(isPrivateNetwork),
    'apiClientCidrs',
    'has to hold private networks only: the Kubernetes API is never open to public addresses',
  );
  demand(
    zones.every((zone) => zone.slice(0, -1) === region),
    'zones',
    `has to be zones of ${region}`,
  );
  demand(recoveryRegion !== region, 'recoveryRegion', `has to differ from the region, ${region}`);
  demand(
    recovery || settings.environment !== 'prod' || recoveryRegion !== '',
    'recoveryRegion',
    'is needed in prod: another AWS region',
  );
  demand(
    !recovery || recoveryRegion === '',
    'recoveryRegion',
    'has to be empty at site recovery: it is the recovery region itself',
  );
  demand(
    recovery ? settings.egressAllocationIds.length >= 3 : settings.egressAllocationIds.length === 0,
    'egressAllocationIds',
    recovery
      ? 'needs three or more at site recovery: the output recoveryEgressAllocationIds of the primary'
      : 'is for site recovery only',
  );
  demand(recovery || !settings.standby, 'standby', 'is for site recovery only');
  demand(
    settings.standby || settings.workerNodesMin >= 3,
    'workerNodesMin',
    'has to be 3 or more, one for each zone, unless the site is a standby',
  );
  demand(
    settings.workerNodesMax >= settings.workerNodesMin,
    'workerNodesMax',
    'must not be smaller than workerNodesMin',
  );
  demand(
    settings.mongodbMode === 'external' || settings.mongodbEndpointService === '',
    'mongodbEndpointService',
    'is for mongodbMode external only',
  );
  demand(
    settings.gitCredentials === '' || readGitCredentials(settings) !== undefined,
    'gitCredentials',
    `has to be ${settingTable.gitCredentials.allowed}; gitRepository decides which`,
  );
  return faults;
}

/** The credentials of a private Git repository, as the fields of Argo CD's Secret. */
type GitCredentials = { username: string; password: string } | { sshPrivateKey: string };

/**
 * Reads the credentials of the Git repository.
 * @returns undefined without credentials, or if they do not fit the address of the repository
 */
export function readGitCredentials({
  gitCredentials,
  gitRepository,
}: Pick<Settings, 'gitCredentials' | 'gitRepository'>): GitCredentials | undefined {
  const keys = gitRepository.startsWith('https://') ? ['username', 'password'] : ['sshPrivateKey'];
  try {
    const given = JSON.parse(gitCredentials) as Record<string, unknown>;
    const fits =
      Object.keys(given).length === keys.length &&
      keys.every((key) => typeof given[key] === 'string' && given[key] !== '');
    return fits ? (given as GitCredentials) : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Reads a stack's configuration.
 * @param given all configuration of the stack, `project:key` to text (lists as JSON), as Pulumi
 * gives it
 * @throws ConfigError with every fault
 */
export function readSettings(given: Readonly<Record<string, string>>): Settings {
  const faults: ConfigFault[] = [];
  const values: Record<string, unknown> = {};
  for (const [key, rule] of Object.entries<SettingRule>(settingTable)) {
    const raw = given[`${PROJECT}:${key}`] ?? rule.default;
    const value = raw === undefined ? undefined : parseValue(rule, raw);
    values[key] = value;
    if (value !== undefined) continue;
    const shown = rule.secret === true ? 'not of the allowed form' : JSON.stringify(raw);
    const what = raw === undefined ? 'is missing' : `is ${shown}`;
    faults.push({ key, problem: `${what}; allowed: ${rule.allowed}` });
  }
  for (const name of Object.keys(given)) {
    const key = name.slice(PROJECT.length + 1);
    if (!name.startsWith(`${PROJECT}:`) || Object.hasOwn(settingTable, key)) continue;
    faults.push({ key, problem: `is not known; known: ${Object.keys(settingTable).join(', ')}` });
  }
  // Rules between keys speak of values that are there and well formed.
  if (faults.length === 0) faults.push(...crossFaults(values as Settings));
  if (faults.length > 0) throw new ConfigError(faults);
  return values as Settings;
}
