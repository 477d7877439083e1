/** The list `network.egress`: the networks that each role may connect to, and their ports. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { at, conform, only, render, type Manifest } from '../manifests.ts';
import { tools, without } from '../tools.ts';
import { renderValues } from './values.ts';

const skip = without(tools.helm) || without(tools.kubeconform);
const NATS = { purpose: 'nats', namespace: 'nats' };
const MONGODB = { purpose: 'mongodb', namespace: 'mongodb', port: 27017 };
const ROLES = ['ingress', 'router', 'delivery', 'control', 'migrate'];

interface Rule {
  to: object[];
  ports?: object[];
}

function rulesOf(manifests: Manifest[], role: string): Rule[] {
  return at(only(manifests, 'NetworkPolicy', `posthorn-${role}`), 'spec', 'egress') as Rule[];
}

/** Returns the roles with a rule for `cidr`, and the ports of that rule. */
function reach(manifests: Manifest[], cidr: string): { roles: string[]; ports: object[][] } {
  const found = ROLES.map((role) => ({
    role,
    rules: rulesOf(manifests, role).filter(({ to }) =>
      to.some((peer) => at(peer, 'ipBlock', 'cidr') === cidr),
    ),
  })).filter(({ rules }) => rules.length > 0);
  return {
    roles: found.map(({ role }) => role),
    ports: found.flatMap(({ rules }) => rules.map(({ ports = [] }) => ports)),
  };
}

test('a range of ports is opened for MongoDB when an entry has endPort', { skip }, async () => {
  const atlas = { purpose: 'mongodb', cidr: '10.10.0.0/16', port: 1024, endPort: 65535 };
  const manifests = await renderValues({ network: { egress: [NATS, atlas] } });
  await conform(manifests);
  const { roles, ports } = reach(manifests, '10.10.0.0/16');
  assert.deepEqual(roles, ['ingress', 'control', 'migrate']);
  for (const one of ports) {
    assert.deepEqual(one, [{ protocol: 'TCP', port: 1024, endPort: 65535 }]);
  }
});

test('each purpose opens its network to the roles that need it', { skip }, async () => {
  const egress = [
    NATS,
    MONGODB,
    { purpose: 'nats', cidr: '10.1.0.0/24', port: 4333 },
    { purpose: 'mongodb', cidr: '10.2.0.0/24', ports: [27017, 27018] },
    { purpose: 'webhooks', cidr: '10.3.0.0/24', port: 443 },
    { purpose: 'telemetry', cidr: '10.4.0.0/24', port: 4318 },
    { purpose: 'other', cidr: '10.5.0.0/24', port: 443, roles: ['control'] },
    { purpose: 'telemetry', cidr: 'fd00::/64', port: 4318, roles: ['router'] },
  ];
  const manifests = await renderValues({ network: { egress } });
  await conform(manifests);
  const rolesFor = (cidr: string): string[] => reach(manifests, cidr).roles;
  assert.deepEqual(rolesFor('10.1.0.0/24'), ROLES);
  assert.deepEqual(rolesFor('10.2.0.0/24'), ['ingress', 'control', 'migrate']);
  assert.deepEqual(rolesFor('10.3.0.0/24'), ['delivery']);
  assert.deepEqual(rolesFor('10.4.0.0/24'), ['ingress', 'router', 'delivery', 'control']);
  assert.deepEqual(rolesFor('10.5.0.0/24'), ['control']);
  assert.deepEqual(rolesFor('fd00::/64'), ['router']);
  assert.deepEqual(reach(manifests, '10.2.0.0/24').ports[0], [
    { protocol: 'TCP', port: 27017 },
    { protocol: 'TCP', port: 27018 },
  ]);
});

test(
  'the program allows the private networks of webhooks that the policy allows',
  {
    skip,
  },
  async () => {
    const webhooks = ['10.3.0.0/24', 'fd00:1::/64'].map((cidr) => ({ purpose: 'webhooks', cidr }));
    const manifests = await renderValues({ network: { egress: [NATS, MONGODB, ...webhooks] } });
    for (const role of ['delivery', 'control']) {
      const { spec } = only(manifests, 'Deployment', `posthorn-${role}`);
      const env = at(spec, 'template', 'spec', 'containers', 0, 'env') as { name: string }[];
      const allow = env.find(({ name }) => name === 'POSTHORN_EGRESS_ALLOW');
      assert.equal(at(allow, 'value'), '10.3.0.0/24,fd00:1::/64', role);
    }
  },
);

test('the labels of an entry replace those of the default', { skip }, async () => {
  const own = { ...NATS, podLabels: { app: 'broker' } };
  const manifests = await renderValues({ network: { egress: [own, MONGODB] } });
  const peers = rulesOf(manifests, 'router').flatMap(({ to }) => to);
  const labels = peers.map((peer) => at(peer, 'podSelector', 'matchLabels'));
  assert.ok(labels.some((one) => JSON.stringify(one) === '{"app":"broker"}'));
  assert.doesNotMatch(JSON.stringify(labels), /"nats"/);
});

test('the port of NATS is the port of its URL', { skip }, async () => {
  const nats = { url: 'tls://a.example.com:4443,tls://b.example.com' };
  const egress = [{ purpose: 'nats', cidr: '10.9.0.0/24' }, MONGODB];
  const manifests = await renderValues({ nats, network: { egress } });
  assert.deepEqual(reach(manifests, '10.9.0.0/24').ports[0], [
    { protocol: 'TCP', port: 4443 },
    { protocol: 'TCP', port: 4222 },
  ]);
});

test('the resolver of another distribution is an entry of network.dns', { skip }, async () => {
  const dns = [
    {
      namespace: 'openshift-dns',
      podLabels: { 'dns.operator.openshift.io/daemonset-dns': 'default' },
      port: 5353,
    },
    { cidr: '169.254.20.10/32' },
  ];
  const manifests = await renderValues({ network: { dns } });
  await conform(manifests);
  for (const role of [...ROLES, 'probe']) {
    const text = JSON.stringify(rulesOf(manifests, role));
    assert.match(text, /openshift-dns.*5353.*169\.254\.20\.10\/32.*"port":53\b/, role);
    assert.doesNotMatch(text, /kube-dns/, role);
  }
});

const refused: [egress: object[], named: RegExp][] = [
  [[NATS], /network\.egress: no entry has the purpose mongodb/],
  [[MONGODB], /network\.egress: no entry has the purpose nats/],
  [[NATS, { ...MONGODB, cidr: '10.0.0.0/8' }], /network\.egress\[1\]: .*cidr.*namespace/],
  [[NATS, { purpose: 'mongodb', port: 1 }], /network\.egress\[1\]: .*cidr.*namespace/],
  [[NATS, { purpose: 'mongodb', namespace: 'a' }], /network\.egress\[1\]\.port: is required/],
  [[NATS, { ...MONGODB, ports: [1] }], /network\.egress\[1\]: .*port.*ports/],
  [[NATS, { ...MONGODB, port: 9, endPort: 8 }], /network\.egress\[1\]\.endPort: must be at least/],
  [[NATS, { ...MONGODB, endPort: 70_000 }], /\/network\/egress\/1\/endPort/],
  [[NATS, { ...MONGODB, purpose: 'mongo' }], /\/network\/egress\/1\/purpose/],
  [[NATS, { ...MONGODB, cidrs: [] }], /\/network\/egress\/1.*'cidrs' not allowed/],
  [
    [NATS, MONGODB, { purpose: 'other', cidr: '10.0.0.0/8', port: 1 }],
    /network\.egress\[2\]\.roles: is required/,
  ],
  [
    [NATS, MONGODB, { purpose: 'webhooks', namespace: 'a' }],
    /network\.egress\[2\]\.cidr: is required/,
  ],
];
for (const [egress, named] of refused) {
  test(`rejects egress ${JSON.stringify(egress)} with its place`, { skip }, async () => {
    await assert.rejects(renderValues({ network: { egress } }), named);
  });
}

test('rejects a port of nats.url that no entry opens', { skip }, async () => {
  const egress = [{ purpose: 'nats', cidr: '10.0.0.0/8', port: 4222 }, MONGODB];
  const nats = { url: 'tls://nats.example.com:4443' };
  await assert.rejects(
    renderValues({ nats, network: { egress } }),
    /network\.egress: no entry with the purpose nats opens port 4443 of nats\.url/,
  );
});

test(
  'rejects networks in values outside of network.egress with "not allowed"',
  { skip },
  async () => {
    for (const old of [
      'mongodb.cidrs={10.0.0.0/8}',
      'nats.namespace=x',
      'network.extraEgress[0]=a',
    ]) {
      await assert.rejects(
        render('charts/posthorn', { set: ['image.tag=abc', old] }),
        /not allowed/,
        old,
      );
    }
  },
);
