import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EgressGuard } from '#domain/endpoint/egress.ts';
import { isPosthornError } from '#domain/errors.ts';
import { checkEndpointUrl } from '#src/control/resources/endpoint-url.ts';

const closed = new EgressGuard('');
const open = new EgressGuard('127.0.0.0/8,10.1.0.0/16,fd00::/8');

function refused(url: string, guard: EgressGuard): boolean {
  try {
    checkEndpointUrl(url, guard);
    return false;
  } catch (error) {
    assert.ok(isPosthornError(error) && error.code === 'POSTHORN_ENDPOINT_URL_FORBIDDEN', url);
    assert.equal(error.fields[0]?.pointer, '/url');
    return true;
  }
}

test('a public https URL is accepted and normalized', () => {
  assert.equal(
    checkEndpointUrl('HTTPS://Example.COM:443/a/../b?c=1', closed),
    'https://example.com/b?c=1',
  );
  assert.equal(checkEndpointUrl('https://example.com:8443', closed), 'https://example.com:8443/');
  assert.equal(checkEndpointUrl('https://8.8.8.8/x', closed), 'https://8.8.8.8/x');
  assert.equal(
    checkEndpointUrl('https://[2606:4700::1111]/x', closed),
    'https://[2606:4700::1111]/x',
  );
});

test('rejects URLs that are not for webhooks', () => {
  for (const url of [
    '',
    'example.com',
    '/path',
    'ftp://example.com/',
    'javascript:alert(1)',
    'file:///etc/passwd',
    'https://user@example.com/',
    'https://user:pass@example.com/',
    'https://example.com/#part',
    'https://example.com/#',
    'https://example.com:0/',
    'http://example.com/',
    `https://example.com/${'a'.repeat(2048)}`,
    // Within the bound as it was sent, over it once its characters are encoded.
    `https://example.com/${'ä'.repeat(1000)}`,
  ]) {
    assert.ok(refused(url, closed), url);
    assert.ok(refused(url, open), url);
  }
});

test('rejects an address in a private network in every spelling', () => {
  for (const host of [
    '127.0.0.1',
    '127.1',
    '0x7f000001',
    '2130706433',
    '017700000001',
    '127.0.0.1.',
    '0',
    '169.254.169.254',
    '10.1.2.3',
    '192.168.0.1',
    '[::1]',
    '[::]',
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
    '[fd00::1]',
    '[fe80::1]',
    '[64:ff9b::7f00:1]',
    'localhost',
    'LOCALHOST',
    'localhost.',
    'a.localhost',
  ]) {
    assert.ok(refused(`https://${host}/`, closed), host);
    assert.ok(refused(`http://${host}/`, closed), host);
  }
});

test('a network that the operator allowed may be reached, and by plain http', () => {
  for (const host of ['127.0.0.1:8080', '10.1.2.3', '[fd00::1]', 'localhost:8081']) {
    assert.ok(!refused(`http://${host}/`, open), host);
    assert.ok(!refused(`https://${host}/`, open), host);
  }
  for (const host of ['10.2.0.1', '192.168.0.1', '8.8.8.8']) {
    assert.ok(refused(`http://${host}/`, open), host);
  }
  assert.ok(refused('http://localhost/', new EgressGuard('10.0.0.0/8')));
});

test('http to localhost with a final dot is accepted when loopback is allowed, without the dot', () => {
  assert.equal(checkEndpointUrl('http://localhost.:8080', open), 'http://localhost:8080/');
  assert.equal(checkEndpointUrl('http://LOCALHOST./p?', open), 'http://localhost/p?');
});

test('an allowed network is the same when it is written as IPv4 or as IPv4-mapped IPv6', () => {
  const mapped = new EgressGuard('::ffff:10.1.0.0/112');
  for (const host of ['10.1.2.3', '[::ffff:10.1.2.3]']) {
    assert.ok(!refused(`http://${host}/`, mapped), host);
    assert.ok(!refused(`http://${host}/`, open), host);
  }
  assert.ok(refused('http://10.2.0.1/', mapped));
});
