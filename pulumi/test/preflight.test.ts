/** The preflight with the real clients of AWS, against a local server. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type ResolveNs, readAccount } from '../preflight/aws-account.ts';
import { type Finding, preflightFindings, SECRET_KEYS } from '../preflight/findings.ts';
import type { Settings } from '../src/config.ts';
import { quotaNeeds } from '../preflight/needs.ts';
import { ACCOUNT, stacks } from '../stack-file.ts';
import { allOf } from './kit/find-resources.ts';
import { recordPlatform } from './kit/record-platform.ts';
import { stackSettings } from './kit/stack-settings.ts';
import { type StubAnswers, StubAws } from './kit/stub-aws.ts';

const NOW = new Date('2026-12-01T00:00:00Z');
const FURTHER = ['alertSmtpPassword'];
const HOSTS = ['in.example.com', 'api.example.com'];
const EC2 = 'http://ec2.amazonaws.com/doc/2016-11-15/';
const credentials = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'no secret' };

const ec2 = (operation: string, content = ''): string =>
  `<${operation}Response xmlns="${EC2}">${content}</${operation}Response>`;

/** An account in which everything is ready. */
const ready: StubAnswers = {
  GetCallerIdentity:
    '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">' +
    `<GetCallerIdentityResult><Account>${ACCOUNT}</Account></GetCallerIdentityResult>` +
    '</GetCallerIdentityResponse>',
  GetServiceQuota: { Quota: { Value: 500 } },
  DescribeAddresses: ec2('DescribeAddresses', '<addressesSet/>'),
  DescribeVpcs: ec2('DescribeVpcs', '<vpcSet/>'),
  DescribeInstances: ec2('DescribeInstances', '<reservationSet/>'),
  DescribeInstanceTypeOfferings: ec2(
    'DescribeInstanceTypeOfferings',
    `<instanceTypeOfferingSet>${['eu-central-1a', 'eu-central-1b', 'eu-central-1c']
      .map((zone) => `<item><location>${zone}</location></item>`)
      .join('')}</instanceTypeOfferingSet>`,
  ),
  'GET /cluster-versions': {
    clusterVersions: [
      { clusterVersion: '1.36', endOfStandardSupportDate: 1_817_164_800 },
      { clusterVersion: '1.35', endOfStandardSupportDate: 1_806_105_600 },
    ],
  },
  GetRole:
    '<GetRoleResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><GetRoleResult><Role>' +
    '<RoleName>AWSServiceRoleForAutoScaling</RoleName></Role></GetRoleResult></GetRoleResponse>',
  DescribeRegistry: { registryId: ACCOUNT, replicationConfiguration: { rules: [] } },
  ListCertificates: { CertificateSummaryList: [{ DomainName: '*.example.com' }] },
  GetSecretValue: {
    SecretString: JSON.stringify(
      Object.fromEntries([...SECRET_KEYS, ...FURTHER].map((key) => [key, 'x'])),
    ),
  },
};

/** DNS in which example.com is delegated. */
const delegated: ResolveNs = (domain) =>
  domain === 'example.com'
    ? Promise.resolve(['ns-1.awsdns-01.com'])
    : Promise.reject(Object.assign(new Error(domain), { code: 'ENODATA' }));

async function findingsOf(
  t: TestContext,
  changes: StubAnswers,
  stack = 'prod',
  now = NOW,
  more: { settings?: Partial<Settings>; resolveNs?: ResolveNs } = {},
): Promise<Finding[]> {
  const aws = await StubAws.start({ ...ready, ...changes });
  t.after(() => aws.close());
  const settings = { ...stackSettings(stack), ...more.settings };
  const { resolveNs = delegated } = more;
  const facts = await readAccount(settings, { endpoint: aws.endpoint, credentials }, resolveNs);
  return preflightFindings(settings, { hosts: HOSTS, furtherKeys: FURTHER }, facts, now);
}

const faultsOf = (findings: Finding[]): string[] =>
  findings.filter(({ level }) => level !== 'ok').map(({ text }) => text);

test('an account that is ready has no fault', async (t) => {
  const findings = await findingsOf(t, {});
  assert.deepEqual(faultsOf(findings), []);
  assert.ok(findings.length >= 15);
});

test('a host without a delegated zone is reported with the command that creates one', async (t) => {
  const none: ResolveNs = () =>
    Promise.reject(Object.assign(new Error('none'), { code: 'ENOTFOUND' }));
  const faults = faultsOf(await findingsOf(t, {}, 'prod', NOW, { resolveNs: none }));
  assert.deepEqual(
    faults,
    HOSTS.map(
      (host) =>
        `no zone with ${host} is delegated: aws route53 create-hosted-zone --name example.com ` +
        '--caller-reference 1, and enter its name servers at the registrar or in the zone above',
    ),
  );
  const silent: ResolveNs = () =>
    Promise.reject(Object.assign(new Error('late'), { code: 'ETIMEOUT' }));
  const unknown = await findingsOf(t, {}, 'prod', NOW, { resolveNs: silent });
  assert.deepEqual(
    unknown.filter(({ level }) => level !== 'ok').map(({ level }) => level),
    HOSTS.map(() => 'later'),
  );
});

test('an endpoint service that does not admit the account is reported', async (t) => {
  const name = 'com.amazonaws.vpce.eu-central-1.vpce-svc-0123456789abcdef0';
  const settings = { mongodbEndpointService: name };
  const operation = 'DescribeVpcEndpointServices';
  const refused = { [operation]: { error: 'InvalidServiceName' } };
  const faults = faultsOf(await findingsOf(t, refused, 'prod', NOW, { settings }));
  assert.equal(faults.length, 1, faults.join('\n'));
  assert.match(String(faults[0]), /vpce-svc-0123456789abcdef0 is not offered to 123456789012/);
  const details = `<serviceDetailSet><item><serviceName>${name}</serviceName></item></serviceDetailSet>`;
  const offered = { [operation]: ec2(operation, details) };
  assert.deepEqual(faultsOf(await findingsOf(t, offered, 'prod', NOW, { settings })), []);
});

test('a quota that is too small is reported with the command that raises it', async (t) => {
  const other =
    '<item><publicIp>198.51.100.1</publicIp><allocationId>eipalloc-1</allocationId></item>';
  const tag = (key: string, value: string): string =>
    `<item><key>${key}</key><value>${value}</value></item>`;
  const own = `<item><allocationId>eipalloc-2</allocationId><tagSet>${tag('platform', 'posthorn')}${tag('environment', 'prod')}${tag('site', 'primary')}</tagSet></item>`;
  const faults = faultsOf(
    await findingsOf(t, {
      // An account that never changed a quota has the default.
      GetServiceQuota: ({ QuotaCode }) =>
        QuotaCode === 'L-0263D0A3'
          ? { error: 'NoSuchResourceException' }
          : { Quota: { Value: 500 } },
      GetAWSDefaultServiceQuota: { Quota: { Value: 5 } },
      DescribeAddresses: ec2('DescribeAddresses', `<addressesSet>${other}${own}</addressesSet>`),
    }),
  );
  assert.deepEqual(
    faults,
    ['eu-central-1', 'eu-west-1'].map(
      (region) =>
        `Elastic IP addresses in ${region}: needs 5, 1 in use, quota 5; raise it: ` +
        `aws service-quotas request-service-quota-increase --region ${region} ` +
        '--service-code ec2 --quota-code L-0263D0A3 --desired-value 6',
    ),
  );
});

const cases: readonly (readonly [string, StubAnswers, RegExp])[] = [
  [
    'credentials of another account',
    {
      GetCallerIdentity:
        '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">' +
        '<GetCallerIdentityResult><Account>999999999999</Account></GetCallerIdentityResult>' +
        '</GetCallerIdentityResponse>',
    },
    /^the credentials are of account 999999999999; accountId is 123456789012$/,
  ],
  [
    'a region without the version of EKS',
    { 'GET /cluster-versions': { clusterVersions: [{ clusterVersion: '1.35' }] } },
    /^EKS 1\.36 is not offered in eu-central-1; offered: 1\.35$/,
  ],
  [
    'no role of auto scaling',
    { GetRole: { error: 'NoSuchEntity' } },
    /aws iam create-service-linked-role --aws-service-name autoscaling\.amazonaws\.com$/,
  ],
  [
    'a registry that replicates other repositories',
    {
      DescribeRegistry: {
        replicationConfiguration: {
          rules: [
            {
              destinations: [],
              repositoryFilters: [{ filter: 'shop', filterType: 'PREFIX_MATCH' }],
            },
          ],
        },
      },
    },
    /^the registry replicates shop, which pulumi up would end/,
  ],
  [
    'a secret without a value',
    { GetSecretValue: { error: 'ResourceNotFoundException' } },
    /^the secret posthorn\/prod has no value yet/,
  ],
  [
    'a secret without some keys',
    { GetSecretValue: { SecretString: '{"mongodbUrl":"x","masterKey":"x"}' } },
    /^the secret posthorn\/prod lacks bootstrapKey, natsPasswordIngress, .*natsPasswordMigrate, natsAuthSeed, alertSmtpPassword$/,
  ],
];
for (const [what, changes, expected] of cases) {
  test(`the preflight reports ${what}`, async (t) => {
    const faults = faultsOf(await findingsOf(t, changes));
    assert.equal(faults.length, 1, faults.join('\n'));
    assert.match(String(faults[0]), expected);
  });
}

test('rejects an unknown stack with the names of the existing ones', async () => {
  const script = fileURLToPath(new URL('../preflight/run.ts', import.meta.url));
  const ended = promisify(execFile)(process.execPath, [script, '--stack', 'nope']);
  await assert.rejects(ended, {
    code: 2,
    stderr: '--stack is "nope"; allowed: dev, stage, prod, prod-recovery\n',
  });
});

test('the command lists the settings that the owner has not set', async () => {
  const script = fileURLToPath(new URL('../preflight/run.ts', import.meta.url));
  const ended = promisify(execFile)(process.execPath, [script, '--stack', 'stage']);
  await assert.rejects(ended, { code: 2, stderr: /posthorn:accountId: is missing/ });
});

test('the preflight reports each host without a certificate', async (t) => {
  const faults = faultsOf(
    await findingsOf(t, {
      ListCertificates: { CertificateSummaryList: [{ DomainName: 'in.example.com' }] },
    }),
  );
  assert.match(faults.join('\n'), /^api\.example\.com has no issued certificate in ACM/);
});

test('the preflight reports an instance type that a zone does not offer', async (t) => {
  const offered =
    '<instanceTypeOfferingSet><item><location>eu-central-1a</location></item></instanceTypeOfferingSet>';
  const faults = faultsOf(
    await findingsOf(t, {
      DescribeInstanceTypeOfferings: ec2('DescribeInstanceTypeOfferings', offered),
    }),
  );
  assert.equal(faults.length, 4);
  assert.match(String(faults[0]), /^m8g\.large is not offered in eu-central-1b, eu-central-1c/);
});

test('the preflight reports a cluster version 90 days before its end, by the date from AWS', async (t) => {
  const late = new Date('2027-06-01T00:00:00Z');
  const faults = faultsOf(await findingsOf(t, {}, 'prod', late));
  assert.deepEqual(faults, [
    'standard support of EKS 1.36 ends in 62 days (2027-08-02): ' +
      'add the next version of EKS to cluster-versions.ts, and upgrade to it',
  ]);
});

test('the preflight counts the vCPUs in use outside the stack, and not those of the stack', async (t) => {
  const instance = (tags: string): string =>
    `<item><instancesSet><item><cpuOptions><coreCount>8</coreCount><threadsPerCore>1</threadsPerCore></cpuOptions>${tags}</item></instancesSet></item>`;
  const own =
    '<tagSet><item><key>eks:cluster-name</key><value>posthorn-prod</value></item></tagSet>';
  const findings = await findingsOf(t, {
    DescribeInstances: ec2(
      'DescribeInstances',
      `<reservationSet>${instance('')}${instance(own)}</reservationSet>`,
    ),
  });
  assert.ok(
    findings.some(({ text }) => text.startsWith('vCPUs on demand') && text.includes('8 in use')),
  );
});

for (const stack of stacks) {
  test(`${stack}: the preflight requires as many addresses and gateways as the program creates`, async () => {
    const { resources } = await recordPlatform(stack);
    const needs = quotaNeeds(stackSettings(stack));
    const addresses = needs
      .filter(({ quotaCode }) => quotaCode === 'L-0263D0A3')
      .reduce((sum, { needed }) => sum + needed, 0);
    const eips = resources.filter(({ type }) => type.endsWith(':Eip'));
    assert.equal(addresses, eips.length);
    // The default quota of an account of its own is enough.
    for (const { quotaCode, needed } of needs) {
      if (quotaCode === 'L-0263D0A3') assert.ok(needed <= 5, stack);
    }
    const zones = allOf(resources, 'ec2/natGateway:NatGateway').map(
      ({ inputs }) => inputs['subnetId'],
    );
    assert.equal(new Set(zones).size, 3);
  });
}

test('the installation guide shows lines that the preflight prints for a new account', async (t) => {
  const page = readFileSync(new URL('../../docs/operations/install.md', import.meta.url), 'utf8');
  const shown = /^ok {4}the credentials are[\s\S]*?^```$/m.exec(page)?.[0].split('\n').slice(0, -1);
  const findings = await findingsOf(t, {
    GetServiceQuota: { error: 'NoSuchResourceException' },
    GetAWSDefaultServiceQuota: { Quota: { Value: 5 } },
    GetRole: { error: 'NoSuchEntity' },
    ListCertificates: { CertificateSummaryList: [] },
    GetSecretValue: { error: 'ResourceNotFoundException' },
  });
  const marks = { ok: 'ok   ', fault: 'FAULT', later: 'later' };
  const printed = findings
    .map(({ level, text }) => `${marks[level]} ${text}`)
    .map((line) =>
      line.replace(ACCOUNT, '111122223333').replace('in.example.com', 'in.prod.acme.test'),
    );
  assert.ok(shown !== undefined && shown.length >= 6);
  for (const line of shown) assert.ok(printed.includes(line), line);
});
