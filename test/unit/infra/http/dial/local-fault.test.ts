import assert from 'node:assert/strict';
import { networkInterfaces } from 'node:os';
import { test } from 'node:test';
import { localFaultOf } from '#infra/http/dial/local-fault.ts';

const failed = (code: string, address?: string): string | undefined =>
  localFaultOf(Object.assign(new Error(code), { code, address }));

test('an error of this machine is mapped to its local fault', () => {
  const faults: Record<string, string> = {
    EMFILE: 'descriptors',
    ENFILE: 'descriptors',
    ENOBUFS: 'memory',
    ENOMEM: 'memory',
    EADDRNOTAVAIL: 'ports',
    EAGAIN: 'ports',
    ENETDOWN: 'network',
    POSTHORN_RESOLVER_DOWN: 'resolver',
    POSTHORN_NAMES_FULL: 'lookups',
  };
  for (const [code, fault] of Object.entries(faults))
    assert.equal(failed(code, '192.0.2.1'), fault);
});

test('an error that the receiver, its network or its name servers may have caused is no local fault', () => {
  const codes = [
    'ECONNREFUSED',
    'ECONNRESET',
    'ETIMEDOUT',
    'EHOSTUNREACH',
    'ENOTFOUND',
    'EAI_AGAIN',
  ];
  for (const code of [...codes, 'EPERM', 'EACCES', 'UND_ERR_CONNECT_TIMEOUT']) {
    assert.equal(failed(code), undefined, code);
  }
});

test('an unreachable network is a local fault when the machine has loopback alone', () => {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  const isAlone = all.every(({ internal }) => internal);
  assert.equal(failed('ENETUNREACH', '192.0.2.1'), isAlone ? 'network' : undefined);
});
