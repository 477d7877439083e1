import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isPrivateNetwork, planAddresses } from '../src/address-plan.ts';
import { ConfigError, readGitCredentials, readSettings } from '../src/config.ts';
import { settingTable } from '../src/setting-table.ts';
import { EXAMPLE_OWNER, readStackFile, stacks } from '../stack-file.ts';
import { stackConfig, stackSettings } from './kit/stack-settings.ts';

function faultsOf(given: Readonly<Record<string, string>>): Map<string, string> {
  try {
    readSettings(given);
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    for (const { key } of error.faults) assert.ok(error.message.includes(`posthorn:${key}: `));
    return new Map(error.faults.map(({ key, problem }) => [key, problem]));
  }
  return new Map();
}

test('a committed stack is complete when its owner has added the missing settings', () => {
  for (const stack of stacks) assert.equal(stackSettings(stack).environment, stack.split('-')[0]);
});

test('a committed stack names every missing key in one message, with the allowed values', () => {
  for (const stack of ['dev', 'stage', 'prod']) {
    const faults = faultsOf(readStackFile(stack));
    const owned = Object.keys(EXAMPLE_OWNER).map((key) => key.replace('posthorn:', ''));
    assert.deepEqual([...faults.keys()].toSorted(), owned.toSorted());
    assert.match(faults.get('accountId') ?? '', /missing; allowed: the 12 digits/);
  }
});

test('an empty configuration names each key that has no default', () => {
  const needed = Object.entries(settingTable)
    .filter(([, rule]) => !('default' in rule))
    .map(([key]) => key);
  assert.deepEqual([...faultsOf({}).keys()].toSorted(), needed.toSorted());
});

test('every default is accepted by its own rule', () => {
  const given = Object.entries(settingTable).flatMap(([key, rule]) =>
    'default' in rule ? [[key, rule.default] as const] : [],
  );
  assert.ok(given.length > 20);
  const faults = faultsOf(
    Object.fromEntries(given.map(([key, text]) => [`posthorn:${key}`, text])),
  );
  for (const [key] of given) assert.equal(faults.get(key), undefined, key);
});

const wrong: readonly (readonly [string, string])[] = [
  ['environment', 'production'],
  ['site', 'backup'],
  ['accountId', '12345'],
  ['region', 'frankfurt'],
  ['zones', '["eu-central-1a","eu-central-1b"]'],
  ['zones', '["eu-central-1a","eu-central-1b","eu-central-1b"]'],
  ['zones', 'eu-central-1a,eu-central-1b,eu-central-1c'],
  ['vpcCidr', '10.40.0.0'],
  ['spareEgressAddresses', '6'],
  ['spareEgressAddresses', '1.5'],
  ['spareEgressAddresses', '-1'],
  ['egressAllocationIds', '["203.0.113.1"]'],
  ['interfaceEndpoints', 'yes'],
  ['apiTunnelUrl', 'https://eks.example.com:443'],
  ['clusterVersion', '1.29'],
  ['clusterAdminRoleArns', '[]'],
  ['clusterAdminRoleArns', '["arn:aws:iam::123456789012:user/alice"]'],
  ['natsInstanceType', 'm7i.large'],
  ['workerInstanceTypes', '["c8g.xlarge","c6a.xlarge"]'],
  ['mongodbMode', 'documentdb'],
  ['logRetentionDays', '45'],
  ['monthlyBudgetUsd', '0'],
  ['alertEmails', '["platform"]'],
  ['argocdChartVersion', 'latest'],
  ['gitRepository', 'posthorn'],
  ['gitPath', '../argocd'],
];
for (const [key, value] of wrong) {
  test(`rejects ${value} as ${key}`, () => {
    const faults = faultsOf(stackConfig('dev', { [key]: value }));
    assert.deepEqual([...faults.keys()], [key]);
    const { allowed } = settingTable[key as keyof typeof settingTable];
    assert.equal(faults.get(key), `is ${JSON.stringify(value)}; allowed: ${allowed}`);
  });
}

const together: readonly (readonly [string, Record<string, string>, string])[] = [
  ['dev', { vpcCidr: '10.40.0.0/20' }, 'vpcCidr'],
  ['dev', { vpcCidr: '10.40.1.0/16' }, 'vpcCidr'],
  ['dev', { vpcCidr: '11.40.0.0/16' }, 'vpcCidr'],
  ['dev', { apiClientCidrs: '["0.0.0.0/0"]' }, 'apiClientCidrs'],
  ['dev', { apiClientCidrs: '["10.1.0.0/16","203.0.113.0/24"]' }, 'apiClientCidrs'],
  ['dev', { region: 'eu-west-1' }, 'zones'],
  ['dev', { recoveryRegion: 'eu-central-1' }, 'recoveryRegion'],
  ['prod', { recoveryRegion: '' }, 'recoveryRegion'],
  ['prod-recovery', { recoveryRegion: 'eu-central-1' }, 'recoveryRegion'],
  ['prod-recovery', { egressAllocationIds: '[]' }, 'egressAllocationIds'],
  ['prod', { egressAllocationIds: '["eipalloc-00000001"]' }, 'egressAllocationIds'],
  ['prod', { standby: 'true' }, 'standby'],
  ['dev', { workerNodesMin: '2' }, 'workerNodesMin'],
  ['dev', { workerNodesMin: '9', workerNodesMax: '8' }, 'workerNodesMax'],
  [
    'dev',
    {
      mongodbMode: 'operator',
      mongodbEndpointService: 'com.amazonaws.vpce.eu-central-1.vpce-svc-0a1b2c3d4e',
    },
    'mongodbEndpointService',
  ],
];
for (const [stack, changes, key] of together) {
  test(`${stack}: rejects ${JSON.stringify(changes)} with an error at ${key}`, () => {
    assert.deepEqual([...faultsOf(stackConfig(stack, changes)).keys()], [key]);
  });
}

const HTTPS = 'https://git.example.com/platform/posthorn.git';
const SSH = 'git@git.example.com:platform/posthorn.git';
const PASSWORD = '{"username":"argocd","password":"token-in-no-error"}';
const KEY = '{"sshPrivateKey":"key-in-no-error"}';

test('credentials of Git match the form that the address of the repository needs', () => {
  const read = (gitRepository: string, gitCredentials: string) =>
    readGitCredentials({ gitRepository, gitCredentials });
  assert.deepEqual(read(HTTPS, PASSWORD), { username: 'argocd', password: 'token-in-no-error' });
  assert.deepEqual(read(SSH, KEY), { sshPrivateKey: 'key-in-no-error' });
  assert.equal(read(HTTPS, ''), undefined);
});

for (const [gitRepository, gitCredentials] of [
  [HTTPS, KEY],
  [SSH, PASSWORD],
  [HTTPS, '{"username":"argocd"}'],
  [HTTPS, '{"username":"argocd","password":7}'],
  [HTTPS, '{token-in-no-error}'],
  [HTTPS, 'token-in-no-error'],
] as const) {
  test(`rejects credentials of Git such as ${gitCredentials} for ${gitRepository}`, () => {
    const faults = faultsOf(stackConfig('dev', { gitRepository, gitCredentials }));
    assert.deepEqual([...faults.keys()], ['gitCredentials']);
    assert.doesNotMatch(faults.get('gitCredentials') ?? '', /in-no-error/);
  });
}

test('rejects an unknown key with the known keys', () => {
  const faults = faultsOf(stackConfig('dev', { natsInstanceTyp: 'm8g.large' }));
  assert.match(faults.get('natsInstanceTyp') ?? '', /not known; known: .*natsInstanceType/);
});

test('configuration keys of other programs are ignored', () => {
  assert.equal(faultsOf({ ...stackConfig('dev'), 'aws:profile': 'mine' }).size, 0);
});

test('a private network is in RFC 1918 and begins at its first address', () => {
  for (const cidr of ['10.0.0.0/8', '10.9.0.0/16', '172.31.0.0/16', '192.168.7.0/24']) {
    assert.ok(isPrivateNetwork(cidr), cidr);
  }
  const others = ['172.32.0.0/16', '0.0.0.0/0', '10.0.0.1/16', '192.168.0.0/15', '10.0.0/8', 'x'];
  for (const cidr of [...others, '10.0.0.256/32', '10.0.0.0/33', '8.8.8.8/32']) {
    assert.ok(!isPrivateNetwork(cidr), cidr);
  }
});

test('the six subnets of a network are inside it and do not overlap', () => {
  const { privateCidrs, publicCidrs } = planAddresses('10.40.0.0/16');
  const ranges = [...privateCidrs, ...publicCidrs].map((cidr) => {
    assert.ok(isPrivateNetwork(cidr), cidr);
    const [address = '', bits] = cidr.split('/');
    assert.ok(address.startsWith('10.40.'));
    const first = Number(address.split('.')[2]) * 256;
    return [first, first + 2 ** (32 - Number(bits))] as const;
  });
  assert.equal(ranges.length, 6);
  ranges.sort(([first], [second]) => first - second);
  ranges.slice(1).forEach(([first], index) => assert.ok(first >= (ranges[index]?.[1] ?? 0)));
});
