import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { EgressGuard, parseNetworks } from '#domain/endpoint/egress.ts';

const strict = new EgressGuard('');

const forbidden: Record<string, string[]> = {
  'this network': ['0.0.0.0', '0.255.255.255', '::'],
  private: ['10.0.0.0', '10.255.255.255', '172.16.0.1', '172.31.255.255', '192.168.0.1'],
  'shared (carrier NAT)': ['100.64.0.1', '100.127.255.255'],
  loopback: ['127.0.0.1', '127.255.255.254', '::1'],
  'link-local': ['169.254.0.1', 'fe80::1', 'febf::1', 'fe80::1%eth0'],
  'metadata of the clouds': [
    '169.254.169.254',
    '169.254.170.2',
    'fd00:ec2::254',
    '100.100.100.200',
  ],
  'IETF, documentation, benchmarks': [
    '192.0.0.8',
    '192.0.2.1',
    '198.51.100.7',
    '203.0.113.9',
    '198.18.0.1',
    '198.19.255.255',
    '2001:db8::1',
    '3fff::1',
    '2001::1',
    '2001:2::1',
    '5f00::1',
    '100::1',
  ],
  'multicast and reserved': [
    '224.0.0.1',
    '239.255.255.255',
    '240.0.0.1',
    '255.255.255.255',
    'ff02::1',
  ],
  'unique local and old site-local': ['fc00::1', 'fdff::1', 'fec0::1'],
  '6to4, NAT64 and relays, with any inner address': [
    '192.88.99.1',
    '2002:7f00:1::',
    '2002:808:808::',
    '64:ff9b::127.0.0.1',
    '64:ff9b::8.8.8.8',
    '64:ff9b:1::1',
  ],
  'IPv4-mapped IPv6, in every spelling': [
    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
    '::FFFF:7F00:0001',
    '0:0:0:0:0:ffff:7f00:1',
    '0000:0000:0000:0000:0000:ffff:127.0.0.1',
    '0::ffff:10.1.2.3',
    '::ffff:169.254.169.254',
    '::ffff:a9fe:a9fe',
    '::ffff:192.168.1.1%eth0',
  ],
  'IPv4-compatible and translated IPv6': [
    '::127.0.0.1',
    '::7f00:1',
    '::a9fe:a9fe',
    '::2',
    '::ff',
    '::ffff:0:127.0.0.1',
    '::ffff:0:7f00:1',
  ],
  'not an address': [
    '',
    'localhost',
    '127.1',
    '0x7f000001',
    '2130706433',
    '1.2.3.4.5',
    '::g',
    '[::1]',
  ],
};
for (const [what, addresses] of Object.entries(forbidden)) {
  for (const address of addresses) {
    test(`the guard refuses ${what}: ${JSON.stringify(address)}`, () => {
      assert.equal(strict.mayDial(address), false);
      assert.equal(strict.isAllowedPrivate(address), false);
    });
  }
}

const open = [
  '1.1.1.1',
  '8.8.8.8',
  '9.255.255.255',
  '11.0.0.0',
  '100.63.255.255',
  '100.128.0.0',
  '126.255.255.255',
  '128.0.0.1',
  '169.253.255.255',
  '172.15.255.255',
  '172.32.0.0',
  '192.167.255.255',
  '198.17.255.255',
  '198.20.0.0',
  '223.255.255.255',
  '2606:4700:4700::1111',
  '2a00:1450:4001:830::200e',
  '2001:4860:4860::8888',
  '::ffff:8.8.8.8',
  '::ffff:808:808',
];
for (const address of open) {
  test(`the guard allows public ${address}, and does not count it as an allowed private network`, () => {
    assert.equal(strict.mayDial(address), true);
    assert.equal(strict.isAllowedPrivate(address), false);
  });
}

test('the guard allows the networks that the operator lists, and no others', () => {
  const guard = new EgressGuard(' 127.0.0.0/8, ::1 ,10.1.0.0/16,fd00:1::/32');
  for (const address of ['127.0.0.1', '::1', '10.1.255.1', 'fd00:1::5', '::ffff:127.0.0.1']) {
    assert.ok(guard.mayDial(address), address);
    assert.ok(guard.isAllowedPrivate(address), address);
  }
  for (const address of ['10.2.0.1', 'fd00:2::5', '192.168.0.1', '::2', '169.254.169.254']) {
    assert.ok(!guard.mayDial(address), address);
  }
});

test('a mapped address is judged as the IPv4 address that it reaches', () => {
  fc.assert(
    fc.property(fc.ipV4(), (address) => {
      assert.equal(strict.mayDial(`::ffff:${address}`), strict.mayDial(address));
    }),
    { numRuns: 500 },
  );
});

const notNetworks = [
  '10.0.0.0/33',
  '10.0.0.0/',
  'fd00::/129',
  '10.0.0/8',
  'localhost',
  '1.2.3.4/8/9',
];
for (const text of [...notNetworks, '10.0.0.0/-1', '10.0.0.0/8x', '10.0.0.0 /8']) {
  test(`rejects the network ${JSON.stringify(text)} with its text`, () => {
    assert.throws(
      () => parseNetworks(`127.0.0.0/8,${text}`),
      (error: Error) => error.message.includes(`"${text}"`),
    );
  });
}
