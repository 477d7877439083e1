import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, type Server, createServer } from 'node:net';
import { test } from 'node:test';
import { descendantsOf } from '../../kit/processes/child-processes.ts';
import { isLoopbackAddress, listeningAddresses } from '../../kit/network/listening-addresses.ts';
import { tempDir } from '#testkit/temp-dir.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { findFreePort } from '#src/embedded/free-port.ts';
import { PosthornProcess, sendPrinted } from '../posthorn-process.ts';

/** Records the requests to the proxy, which are then refused. */
async function startProxy(): Promise<{ server: Server; url: string; requested: string[] }> {
  const requested: string[] = [];
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', (head: Buffer) => {
      requested.push(head.toString('latin1').split('\r\n', 1)[0] as string);
      socket.end('HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n');
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return { server, requested, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

test('a start sends no request of its own to a proxy from its environment', async (t) => {
  const proxy = await startProxy();
  t.after(() => proxy.server.close());
  const opsPort = await findFreePort();
  const names = ['HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY'];
  const proxies = names.flatMap((name) => [
    [name, proxy.url],
    [name.toLowerCase(), proxy.url],
  ]);
  const start = new PosthornProcess(await tempDir(t), {
    ...Object.fromEntries(proxies),
    NODE_USE_ENV_PROXY: '1',
    NO_PROXY: '',
    no_proxy: '',
    POSTHORN_OPS_PORT: String(opsPort),
  });
  t.after(() => start.end());
  const banner = await start.banner();
  assert.match(start.stdout, /^ {2}Listens on {6}127\.0\.0\.1 \(this machine only/m);
  const { id } = await sendPrinted(banner);
  await waitUntil(() => start.stdout.includes(`${id} signature valid`), { what: 'the webhook' });
  await waitUntil(
    async () => {
      const metrics = await (await fetch(`http://127.0.0.1:${opsPort}/metrics`)).text();
      return /^posthorn_probe_last_success_timestamp_seconds\S* [1-9]/m.test(metrics);
    },
    { what: 'a round of the probe', deadlineMs: 60_000 },
  );
  assert.deepEqual(proxy.requested, []);

  await t.test('a start listens on loopback only', { skip: process.platform !== 'linux' }, () => {
    const addresses = listeningAddresses([start.pid, ...descendantsOf(start.pid)]);
    // The API, the private port, the demo receiver, the probe's receiver, NATS and its monitoring,
    // MongoDB.
    assert.ok(addresses.length >= 7, addresses.join(' '));
    assert.deepEqual(
      addresses.filter((address) => !isLoopbackAddress(address)),
      [],
    );
  });
});

test('rejects a host that is no address of this machine with an error', async (t) => {
  for (const host of ['POSTHORN_HTTP_HOST', 'POSTHORN_OPS_HOST']) {
    // 192.0.2.0/24 is for documentation (RFC 5737): no machine has it.
    const start = new PosthornProcess(await tempDir(t), { [host]: '192.0.2.1' });
    assert.equal(await start.exitCode, 78);
    assert.match(start.stderr, new RegExp(`^posthorn: ${host}: cannot listen on 192\\.0\\.2\\.1`));
  }
});

/** A network without 127.0.0.1, in its own namespace. */
const NETWORKS = {
  'no loopback': 'true',
  'IPv6 loopback alone': 'ip link set lo up && ip address delete 127.0.0.1/8 dev lo',
};

for (const [name, prepare] of Object.entries(NETWORKS)) {
  const canPrepare =
    spawnSync('unshare', ['--map-root-user', '--net', 'sh', '-c', prepare]).status === 0;
  const skip = !canPrepare && 'needs Linux namespaces and ip';
  test(`rejects a start on a machine with ${name} with an error`, { skip }, async (t) => {
    const run = `${prepare} && exec "$0" src/main.ts start`;
    const launcher = ['unshare', '--map-root-user', '--net', 'sh', '-c', run, process.execPath];
    const start = new PosthornProcess(
      await tempDir(t),
      { POSTHORN_HTTP_HOST: '::1', POSTHORN_OPS_HOST: '::1' },
      launcher as [string, ...string[]],
    );
    t.after(() => start.end());
    assert.equal(await start.exitCode, 78, start.stderr);
    assert.match(start.stderr, /^posthorn: posthorn start needs the loopback address 127\.0\.0\.1/);
    assert.equal(start.stdout, '');
  });
}
