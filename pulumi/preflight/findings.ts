import { supportFault } from '../src/cluster-versions.ts';
import type { Settings } from '../src/config.ts';
import { type QuotaNeed, quotaNeeds } from './needs.ts';

/** The answers of an AWS account that a preflight judges. */
export interface AccountFacts {
  accountId: string;
  quota: (need: QuotaNeed) => Promise<number>;
  /** Use of a quota without the stack's own part; undefined for quotas that are not counted. */
  used: (need: QuotaNeed) => Promise<number | undefined>;
  /** Versions of EKS that the region offers, with the last day of standard support. */
  clusterVersions: () => Promise<ReadonlyMap<string, string>>;
  /** Zones of the region in which an instance type is offered. */
  zonesOf: (instanceType: string) => Promise<readonly string[]>;
  hasRole: (name: string) => Promise<boolean>;
  /** Prefixes of repositories that the registry copies to other regions. */
  replicatedPrefixes: () => Promise<readonly string[]>;
  /** Domains of issued certificates. */
  certificateDomains: () => Promise<readonly string[]>;
  /** Name servers of a domain by public DNS: empty without a delegation, undefined if unknown. */
  nameServers: (domain: string) => Promise<readonly string[] | undefined>;
  /** Whether an endpoint service of PrivateLink exists, and admits this account. */
  offersService: (name: string) => Promise<boolean>;
  /** The keys of the platform's secret; undefined while it has no value. */
  secretKeys: () => Promise<readonly string[] | undefined>;
}

export interface Finding {
  /** `later`: to be done after the first `pulumi up`, before the first webhook. */
  level: 'ok' | 'fault' | 'later';
  text: string;
}

/** The keys that the environments of argocd/ read. */
export const SECRET_KEYS = [
  'mongodbUrl',
  'masterKey',
  'bootstrapKey',
  'natsPasswordIngress',
  'natsPasswordRouter',
  'natsPasswordDelivery',
  'natsPasswordControl',
  'natsPasswordMigrate',
  'natsAuthSeed',
];
const AUTO_SCALING_ROLE = 'AWSServiceRoleForAutoScaling';
const OUR_PREFIX = 'posthorn-';

const finding = (holds: boolean, ok: string, fault: string): Finding =>
  holds ? { level: 'ok', text: ok } : { level: 'fault', text: fault };

async function quotaFinding(need: QuotaNeed, facts: AccountFacts): Promise<Finding> {
  const [quota, used] = await Promise.all([facts.quota(need), facts.used(need)]);
  const wanted = (used ?? 0) + need.needed;
  const others = used === undefined ? 'use not counted' : `${used} in use`;
  const what = `${need.what} in ${need.region}: needs ${need.needed}, ${others}, quota ${quota}`;
  const command =
    `aws service-quotas request-service-quota-increase --region ${need.region} ` +
    `--service-code ${need.serviceCode} --quota-code ${need.quotaCode} --desired-value ${wanted}`;
  return finding(wanted <= quota, what, `${what}; raise it: ${command}`);
}

async function versionFinding(
  { clusterVersion, region }: Settings,
  facts: AccountFacts,
  now: Date,
): Promise<Finding> {
  const offered = await facts.clusterVersions();
  const ends = offered.get(clusterVersion);
  const versions = [...offered.keys()].join(', ');
  if (ends === undefined) {
    const text = `EKS ${clusterVersion} is not offered in ${region}; offered: ${versions}`;
    return { level: 'fault', text };
  }
  const fault = supportFault(clusterVersion, now, ends);
  return finding(
    fault === undefined,
    `EKS ${clusterVersion}: standard support until ${ends}`,
    String(fault),
  );
}

async function instanceFindings(settings: Settings, facts: AccountFacts): Promise<Finding[]> {
  const types = new Set([
    settings.systemInstanceType,
    settings.natsInstanceType,
    ...settings.workerInstanceTypes,
    ...(settings.mongodbMode === 'operator' ? [settings.mongodbInstanceType] : []),
  ]);
  return Promise.all(
    [...types].map(async (type) => {
      const offered = await facts.zonesOf(type);
      const missing = settings.zones.filter((zone) => !offered.includes(zone));
      const fault = `${type} is not offered in ${missing.join(', ')}: choose another type or zone`;
      return finding(missing.length === 0, `${type} is offered in every zone`, fault);
    }),
  );
}

/** Whether a certificate for a domain, `*.` included, is good for a host. */
const covers = (domain: string, host: string): boolean =>
  domain === host || (domain.startsWith('*.') && host.slice(host.indexOf('.')) === domain.slice(1));

async function hostFindings(hosts: readonly string[], facts: AccountFacts): Promise<Finding[]> {
  const domains = await facts.certificateDomains();
  return hosts.map((host) =>
    finding(
      domains.some((domain) => covers(domain, host)),
      `${host} has a certificate`,
      `${host} has no issued certificate in ACM of the region: request one, or set the host of ` +
        'the Ingress in argocd/environments',
    ),
  );
}

/** The domains that may be the zone of a host, the nearest first. No registry is one. */
function zonesAbove(host: string): string[] {
  const labels = host.split('.');
  return labels.slice(0, -1).map((_, i) => labels.slice(i).join('.'));
}

async function zoneFinding(host: string, facts: AccountFacts): Promise<Finding> {
  for (const zone of zonesAbove(host)) {
    const servers = await facts.nameServers(zone);
    if (servers === undefined) {
      const text = `the zone of ${host} is unknown, as DNS did not answer: compare \`dig NS ${zone}\``;
      return { level: 'later', text };
    }
    if (servers.length > 0) return { level: 'ok', text: `${host} is in the zone ${zone}` };
  }
  const zone = host.slice(host.indexOf('.') + 1);
  return {
    level: 'fault',
    text:
      `no zone with ${host} is delegated: aws route53 create-hosted-zone --name ${zone} ` +
      '--caller-reference 1, and enter its name servers at the registrar or in the zone above',
  };
}

/** Atlas and others reach the stack by a service that admits accounts by their number. */
async function mongodbFindings(settings: Settings, facts: AccountFacts): Promise<Finding[]> {
  const { mongodbEndpointService: name, accountId, region } = settings;
  if (name === '') return [];
  return [
    finding(
      await facts.offersService(name),
      `${name} admits this account`,
      `${name} is not offered to ${accountId} in ${region}: add a private endpoint for this ` +
        'account in the project of Atlas, or correct mongodbEndpointService',
    ),
  ];
}

async function secretFinding(
  { environment }: Settings,
  further: readonly string[],
  facts: AccountFacts,
): Promise<Finding> {
  const keys = await facts.secretKeys();
  const name = `posthorn/${environment}`;
  if (keys === undefined) {
    return {
      level: 'later',
      text: `the secret ${name} has no value yet: put it in after pulumi up`,
    };
  }
  const missing = [...SECRET_KEYS, ...further].filter((key) => !keys.includes(key));
  const fault = `the secret ${name} lacks ${missing.join(', ')}`;
  return finding(missing.length === 0, `the secret ${name} has every key`, fault);
}

/**
 * Compares an account with the needs of a stack, before or after its first run.
 * @param git the hosts of the Ingress, and the keys of the secret that only the environment needs
 */
export async function preflightFindings(
  settings: Settings,
  git: { hosts: readonly string[]; furtherKeys: readonly string[] },
  facts: AccountFacts,
  now: Date,
): Promise<Finding[]> {
  const account = finding(
    facts.accountId === settings.accountId,
    `the credentials are of account ${settings.accountId}`,
    `the credentials are of account ${facts.accountId}; accountId is ${settings.accountId}`,
  );
  // Other answers would be about the wrong account.
  if (account.level === 'fault') return [account];
  const foreign = (await facts.replicatedPrefixes()).filter((prefix) => prefix !== OUR_PREFIX);
  const replication = finding(
    settings.recoveryRegion === '' || foreign.length === 0,
    'no other replication of the registry is overwritten',
    `the registry replicates ${foreign.join(', ')}, which pulumi up would end: use another account`,
  );
  const autoScaling = finding(
    await facts.hasRole(AUTO_SCALING_ROLE),
    `the role ${AUTO_SCALING_ROLE} exists`,
    'the key of volumes names a role that does not exist: ' +
      'aws iam create-service-linked-role --aws-service-name autoscaling.amazonaws.com',
  );
  return [
    account,
    ...(await Promise.all(quotaNeeds(settings).map((need) => quotaFinding(need, facts)))),
    await versionFinding(settings, facts, now),
    ...(await instanceFindings(settings, facts)),
    autoScaling,
    replication,
    ...(await hostFindings(git.hosts, facts)),
    ...(await Promise.all(git.hosts.map((host) => zoneFinding(host, facts)))),
    ...(await mongodbFindings(settings, facts)),
    await secretFinding(settings, git.furtherKeys, facts),
  ];
}
