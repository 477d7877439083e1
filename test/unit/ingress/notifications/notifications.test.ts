import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bearerOfBasic } from '#src/ingress/notifications/basic-credentials.ts';
import { narrowStatus } from '#src/ingress/notifications/narrow-statuses.ts';
import { pointerNames, tenantOfBody, wantedAt } from '#src/ingress/notifications/tenant-of-body.ts';
import { scan } from '#wire/published/scan-body.ts';

function tenantIn(json: string, pointer: string): string {
  const body = Buffer.from(json);
  return tenantOfBody(body, scan(body, wantedAt(pointerNames(pointer))), pointer);
}

test('the tenant is the string or whole number at the pointer', () => {
  assert.equal(tenantIn('{"data":{"customer":{"id":"acme"}}}', '/data/customer/id'), 'acme');
  assert.equal(tenantIn('{"a/b":{"c~d":7}}', '/a~1b/c~0d'), '7');
  assert.equal(tenantIn('["x",["acme"]]', '/1/0'), 'acme');
});

test('rejects bodies that name no tenant with POSTHORN_EVENT_INVALID', () => {
  const bodies = ['{}', '7', '{"t":null}', '{"t":1.5}', '{"t":{}}', '{"t":"a b"}', '{"t":1e400}'];
  for (const body of [...bodies, '{"t":"a","t":"b"}', '{"t":9007199254740993}']) {
    assert.throws(() => tenantIn(body, '/t'), { code: 'POSTHORN_EVENT_INVALID' }, body);
  }
});

test('basic credentials become a bearer token with the password', () => {
  const encoded = Buffer.from('any:key:with:colons').toString('base64');
  assert.equal(bearerOfBasic(`basic ${encoded}`), 'Bearer key:with:colons');
  for (const header of [undefined, 'Bearer x', 'Basic !', 'Basic YQ==']) {
    assert.equal(bearerOfBasic(header), header);
  }
});

test('each status becomes one that a forwarder knows', () => {
  const statuses = [202, 304, 400, 401, 403, 404, 409, 413, 415, 422, 429, 500, 503];
  assert.deepEqual(
    statuses.map(narrowStatus),
    [202, 304, 400, 401, 401, 400, 409, 400, 400, 400, 429, 500, 500],
  );
});
