/** Forms of one URL: the receiver gets the same host and path for each. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:https';
import { test } from 'node:test';
import { createSecureContext } from 'node:tls';
import type { TLSSocket } from 'node:tls';
import { parseTargetUrl } from '#domain/endpoint/target-url/target-url.ts';
import { makeCertificate } from '../../../../kit/network/certificates.ts';
import { senderTo } from '../send-once.ts';

test('a name with a trailing dot is dialled, checked by TLS and sent in `host` without the dot', async (t) => {
  const certificate = makeCertificate();
  const seen: { host: string | undefined; sni: unknown; url: string | undefined }[] = [];
  const server = createServer(certificate, (request, response) => {
    const sni = (request.socket as TLSSocket & { servername?: unknown }).servername;
    seen.push({ host: request.headers.host, sni, url: request.url });
    request.resume().once('end', () => response.writeHead(204).end());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as { port: number };
  const parsed = parseTargetUrl(`https://LOCALHOST.:${port}/a/../p?`);
  assert.ok(parsed.ok);
  const secureContext = createSecureContext({ ca: certificate.cert });
  const sender = senderTo(t, parsed.url.origin, { secureContext });
  const { outcome } = await sender.send({
    path: parsed.url.path,
    headers: [],
    body: Buffer.from('{}'),
    signal: AbortSignal.timeout(20_000),
  });
  assert.deepEqual(outcome, { ok: true, status: 204 });
  assert.deepEqual(seen, [{ host: `localhost:${port}`, sni: 'localhost', url: '/p?' }]);
});
