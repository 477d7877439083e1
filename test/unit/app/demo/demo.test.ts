import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { DataDir } from '#src/app/start/data-dir.ts';
import { seedDemo } from '#src/app/demo/demo.ts';
import { tempDir } from '#testkit/temp-dir.ts';

test('seeding the demo creates no second endpoint when the first is on a later page', async (t) => {
  const hookUrl = 'http://127.0.0.1:1/hook';
  const requested: string[] = [];
  const api = createServer((request, response) => {
    const { method = '', url = '' } = request;
    requested.push(`${method} ${url}`);
    const page = url.includes('cursor=second')
      ? { data: [{ id: 'ep_demo', url: hookUrl }], next_cursor: null }
      : { data: [{ id: 'ep_other', url: 'https://example.com/' }], next_cursor: 'second' };
    response.end(JSON.stringify(page));
  });
  api.listen(0, '127.0.0.1');
  await once(api, 'listening');
  t.after(() => {
    api.close();
    api.closeAllConnections();
  });
  const dataDir = DataDir.open(await tempDir(t));
  t.after(() => dataDir.release());
  dataDir.write('demo.json', { id: 'ep_demo', secret: 'whsec_kept', url: hookUrl });
  const apiUrl = `http://127.0.0.1:${(api.address() as AddressInfo).port}`;
  assert.equal(await seedDemo({ apiUrl, key: 'k', hookUrl, dataDir }), 'whsec_kept');
  assert.deepEqual(
    requested.map((each) => each.split(' ', 1)[0]),
    ['PUT', 'GET', 'GET'],
  );
});
