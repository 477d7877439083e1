import assert from 'node:assert/strict';
import { test } from 'node:test';
import { errorCatalogue } from '#domain/errors.ts';
import { startControlPlane } from '../control-plane.ts';

test('the type of a problem resolves to its page, as Markdown or as HTML', async (t) => {
  const plane = await startControlPlane(t);
  const { body } = await plane.call('GET', '/v1/tenants/none');
  const page = await plane.call('GET', body.type);
  assert.equal(page.status, 200, page.text);
  assert.match(String(page.headers['content-type']), /^text\/markdown/);
  assert.match(page.text, /^# POSTHORN_TENANT_UNKNOWN\n/);
  const accept = 'text/html,application/xhtml+xml,*/*;q=0.8';
  const html = await plane.call('GET', body.type, undefined, { headers: { accept } });
  assert.match(String(html.headers['content-type']), /^text\/html/);
  assert.match(html.text, /<h1>POSTHORN_TENANT_UNKNOWN<\/h1>/);
  assert.equal(html.headers['vary'], 'accept');
  for (const code of Object.keys(errorCatalogue)) {
    assert.equal((await plane.call('GET', `/errors/${code}`)).status, 200, code);
  }
  for (const code of ['POSTHORN_NOTHING', 'toString', '%3Cscript%3E']) {
    const missing = await plane.call('GET', `/errors/${code}`);
    assert.equal(missing.status, 404, code);
    assert.equal(missing.body.code, 'POSTHORN_RESOURCE_UNKNOWN');
  }
});
