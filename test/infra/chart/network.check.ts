/** The connections that the network policies allow, judged by effect and not by wording. */
import assert from 'node:assert/strict';
import { BlockList, isIPv6 } from 'node:net';
import { test } from 'node:test';
import { EgressGuard } from '#domain/endpoint/egress.ts';
import { at, type Manifest, only, render } from '../manifests.ts';
import { tools, without } from '../tools.ts';

const skip = without(tools.helm);
const set = ['image.tag=abc'];

interface Block {
  cidr: string;
  except?: string[];
}

function blocksOf(policy: Manifest): Block[] {
  const rules = at(policy, 'spec', 'egress') as { to?: { ipBlock?: Block }[] }[];
  for (const rule of rules)
    assert.ok(rule.to && rule.to.length > 0, 'a rule without "to" opens all');
  return rules.flatMap(({ to = [] }) => to.flatMap(({ ipBlock }) => ipBlock ?? []));
}

function listOf(cidrs: string[]): BlockList {
  const list = new BlockList();
  for (const cidr of cidrs) {
    const [address = '', bits] = cidr.split('/');
    list.addSubnet(address, Number(bits), isIPv6(address) ? 'ipv6' : 'ipv4');
  }
  return list;
}

/**
 * Evaluates a rule as a network plug-in does: an address is in one block and not in its exceptions.
 */
function mayReach(blocks: Block[], address: string): boolean {
  const family = isIPv6(address) ? 'ipv6' : 'ipv4';
  return blocks.some(
    ({ cidr, except = [] }) =>
      listOf([cidr]).check(address, family) && !listOf(except).check(address, family),
  );
}

const PRIVATE = [
  ['this network', '0.1.2.3'],
  ['private', '10.0.0.1', '10.255.255.255', '172.16.0.1', '172.31.255.254', '192.168.1.1'],
  ['shared', '100.64.0.1', '100.127.255.255'],
  ['loopback', '127.0.0.1', '::1'],
  ['metadata of clouds', '169.254.169.254', '169.254.170.23', 'fd00:ec2::254'],
  ['reserved', '192.0.0.8', '192.0.2.1', '198.18.0.1', '198.51.100.7', '203.0.113.9', '240.0.0.1'],
  ['multicast, broadcast', '224.0.0.1', '239.255.255.255', '255.255.255.255', 'ff02::1'],
  ['unique local, link local', 'fc00::1', 'fd12::1', 'fe80::1'],
  ['translated IPv4', '64:ff9b::a00:1', '2002:a00:1::1', '2001:db8::1', '3fff::1'],
].flatMap(([what, ...addresses]) => addresses.map((address) => ({ what, address })));

const PUBLIC = [
  '1.1.1.1',
  '8.8.8.8',
  '52.95.110.1',
  '172.32.0.1',
  '100.128.0.1',
  '2606:4700::1111',
];

test('delivery reaches public addresses only', { skip }, async () => {
  const manifests = await render('charts/posthorn', { set });
  const blocks = blocksOf(only(manifests, 'NetworkPolicy', 'posthorn-delivery'));
  for (const { what, address } of PRIVATE) {
    assert.equal(mayReach(blocks, address), false, `${what}: ${address}`);
  }
  for (const address of PUBLIC) assert.equal(mayReach(blocks, address), true, address);
});

test('the policy refuses the same addresses as the worker', { skip }, async () => {
  const manifests = await render('charts/posthorn', { set });
  const blocks = blocksOf(only(manifests, 'NetworkPolicy', 'posthorn-delivery'));
  const guard = new EgressGuard('');
  const addresses = new Set([...PUBLIC, ...PRIVATE.map(({ address }) => address)]);
  // The first address of every exception.
  for (const { except = [] } of blocks) {
    for (const cidr of except) addresses.add(cidr.split('/')[0] as string);
  }
  for (const address of addresses) {
    assert.equal(mayReach(blocks, address), guard.mayDial(address), address);
  }
});

test('no other role reaches an address outside the cluster', { skip }, async () => {
  const manifests = await render('charts/posthorn', { set });
  for (const role of ['ingress', 'router', 'control', 'migrate']) {
    const policy = only(manifests, 'NetworkPolicy', `posthorn-${role}`);
    assert.deepEqual(blocksOf(policy), [], role);
  }
});

test(
  'delivery reaches the receiver of the probe, and nothing else of that pod',
  { skip },
  async () => {
    const manifests = await render('charts/posthorn', { set });
    const policies = manifests.filter(({ kind }) => kind === 'NetworkPolicy');
    const chosenBy = (selector: unknown, component: string): boolean => {
      const one = at(selector, 'matchLabels', 'app.kubernetes.io/component');
      const [{ values = [] } = {}] = (at(selector, 'matchExpressions') ?? []) as {
        values?: string[];
      }[];
      return one === component || values.includes(component);
    };
    /** The ports by which one component may reach another: open on both sides. */
    const open = (from: string, to: string): unknown[] => {
      const portsOf = (
        self: string,
        way: 'ingress' | 'egress',
        peer: 'from' | 'to',
        other: string,
      ) =>
        policies
          .filter(({ spec }) => chosenBy(at(spec, 'podSelector'), self))
          .flatMap(({ spec }) => (at(spec, way) ?? []) as object[])
          .filter((rule) =>
            (at(rule, peer) as object[]).some(
              (one) => !at(one, 'namespaceSelector') && chosenBy(at(one, 'podSelector'), other),
            ),
          )
          .flatMap((rule) => at(rule, 'ports') as { port: unknown }[])
          .map(({ port }) => port);
      const taken = portsOf(to, 'ingress', 'from', from);
      return portsOf(from, 'egress', 'to', to).filter((port) => taken.includes(port));
    };
    assert.deepEqual(open('delivery', 'probe'), ['probe']);
    assert.deepEqual(open('probe', 'ingress'), ['http']);
    assert.deepEqual(open('probe', 'control'), ['http']);
    for (const role of ['ingress', 'router', 'control']) assert.deepEqual(open(role, 'probe'), []);
    for (const role of ['router', 'delivery']) assert.deepEqual(open('probe', role), []);
  },
);

test(
  'all pods are closed to the network, and each open connection is stated',
  { skip },
  async () => {
    const manifests = await render('charts/posthorn', { set });
    const deny = only(manifests, 'NetworkPolicy', 'posthorn-deny').spec;
    const policyTypes = ['Ingress', 'Egress'];
    const matchLabels = {
      'app.kubernetes.io/name': 'posthorn',
      'app.kubernetes.io/instance': 'posthorn',
    };
    assert.deepEqual(deny, { podSelector: { matchLabels }, policyTypes });
    for (const role of ['router', 'delivery']) {
      const rules = at(only(manifests, 'NetworkPolicy', `posthorn-${role}`), 'spec', 'ingress');
      assert.equal((rules as object[]).length, 1, `${role} is reached by Prometheus alone`);
      assert.deepEqual(at(rules, 0, 'ports'), [{ protocol: 'TCP', port: 'ops' }]);
    }
  },
);
