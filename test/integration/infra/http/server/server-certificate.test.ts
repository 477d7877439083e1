import assert from 'node:assert/strict';
import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { type TLSSocket, connect } from 'node:tls';
import { ServerCertificate } from '#infra/http/server/server-certificate.ts';
import { createApp } from '#infra/http/server/app.ts';
import { systemClock } from '#infra/system-clock.ts';
import { createLog } from '#infra/telemetry/log.ts';
import { HttpService } from '#src/app/run/http-service.ts';
import {
  type Certificate,
  type CertificateOptions,
  makeCertificate,
} from '#testkit/network/certificates.ts';
import { tempDir } from '#testkit/temp-dir.ts';
import { waitUntil } from '#testkit/wait-until.ts';

const authority = makeCertificate({ commonName: 'an authority' });
const issue = () => makeCertificate({ issuer: authority });
const settings = { readTimeoutMs: 60_000, idleTimeoutMs: 60_000, writeTimeoutMs: 60_000 };

/** Replaces the file by one rename, so that no reader sees a part of it. */
async function replace(path: string, text: string): Promise<void> {
  await writeFile(`${path}.new`, text);
  await rename(`${path}.new`, path);
}

/** An HTTP server with a certificate in files, which are read every 5 ms. */
async function serve(t: TestContext, pair: Certificate) {
  const dir = await tempDir(t);
  const paths = { certificatePath: join(dir, 'tls.crt'), keyPath: join(dir, 'tls.key') };
  const write = async ({ cert, key }: Certificate): Promise<void> => {
    await replace(paths.certificatePath, cert);
    await replace(paths.keyPath, key);
  };
  await write(pair);
  const lines: { facts: Record<string, unknown>; event: string }[] = [];
  const note = (facts: Record<string, unknown>, event: string): void =>
    void lines.push({ facts, event });
  const log = { info: note, error: note } as object as Pick<
    ReturnType<typeof createLog>,
    'info' | 'error'
  >;
  const certificate = new ServerCertificate({ paths, log, clock: systemClock, checkEveryMs: 5 });
  const silent = createLog('silent');
  const app = createApp({ settings, certificate, clock: systemClock, log: silent });
  const service = new HttpService({ clock: systemClock, app, host: '127.0.0.1', port: 0 });
  await certificate.start();
  await service.start();
  t.after(async () => {
    await certificate.stop();
    await service.stop(0);
  });
  return { port: service.port, paths, write, lines };
}

/** A connection on which requests are sent one after the other. */
class Client {
  readonly socket: TLSSocket;
  private text = '';

  constructor(port: number) {
    this.socket = connect({ port, host: 'localhost', ca: authority.cert });
    this.socket.on('data', (chunk: Buffer) => (this.text += chunk.toString()));
  }

  get serial(): string {
    return this.socket.getPeerCertificate().serialNumber;
  }

  async health(): Promise<void> {
    this.text = '';
    this.socket.write('GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n');
    await waitUntil(() => this.text.endsWith('{"status":"ok"}'), { what: 'an answer' });
  }
}

/** The serial number of the certificate that a new connection gets. */
async function servedTo(port: number): Promise<string> {
  const client = new Client(port);
  await client.health();
  const { serial } = client;
  client.socket.destroy();
  return serial;
}

test('a renewed certificate is served to new connections while an open one continues', async (t) => {
  const { port, write, lines } = await serve(t, issue());
  const open = new Client(port);
  t.after(() => open.socket.destroy());
  await open.health();
  const first = open.serial;
  assert.equal(await servedTo(port), first);

  await write(issue());
  await waitUntil(async () => (await servedTo(port)) !== first, { what: 'the renewed one' });
  await open.health();
  assert.equal(open.serial, first);
  assert.ok(lines.some(({ event }) => event === 'certificate.renewed'));
});

test('the last certificate stays when a renewed file is wrong or missing', async (t) => {
  const { port, paths, lines } = await serve(t, issue());
  const first = await servedTo(port);
  const next = issue();
  // Only one file of two is replaced.
  await replace(paths.certificatePath, next.cert);
  await waitUntil(() => lines.length > 0, { what: 'a refusal' });
  assert.match(String(lines[0]?.facts['error']), /^POSTHORN_HTTP_KEY_PATH: must be the key/);
  assert.equal(await servedTo(port), first);

  await replace(paths.certificatePath, 'not a certificate');
  await waitUntil(() => lines.length > 1, { what: 'another refusal' });
  assert.match(String(lines[1]?.facts['error']), /^POSTHORN_HTTP_CERTIFICATE_PATH: must be a cert/);
  assert.equal(await servedTo(port), first);

  await rm(paths.keyPath);
  await replace(paths.certificatePath, next.cert);
  await waitUntil(() => lines.length > 2, { what: 'a third refusal' });
  assert.match(String(lines[2]?.facts['error']), /^POSTHORN_HTTP_KEY_PATH: cannot be read/);
  assert.equal(await servedTo(port), first);
  await replace(paths.keyPath, next.key);
  await waitUntil(async () => (await servedTo(port)) !== first, { what: 'the renewed one' });
});

const outOfTime: [what: string, validity: CertificateOptions, error: RegExp][] = [
  ['has expired', { notAfter: '250201000000Z' }, /has expired at 2025-02-01T00:00:00.000Z$/],
  ['is not valid yet', { notBefore: '490101000000Z' }, /is not valid before 2049-01-01T/],
];
for (const [what, validity, error] of outOfTime) {
  test(`the last certificate stays when the renewed one ${what}`, async (t) => {
    const { port, write, lines } = await serve(t, issue());
    const first = await servedTo(port);
    const wrong = makeCertificate({ issuer: authority, ...validity });
    await write(wrong);
    await waitUntil(() => lines.some(({ facts }) => error.test(String(facts['error']))), {
      what: 'a refusal',
    });
    assert.equal(await servedTo(port), first);
    await write(issue());
    await waitUntil(async () => (await servedTo(port)) !== first, { what: 'the renewed one' });
  });
}

test('a client without TLS is disconnected, and others are served', async (t) => {
  const { port } = await serve(t, issue());
  await assert.rejects(fetch(`http://localhost:${port}/health`));
  await servedTo(port);
});

const { cert, key } = issue();
const refused: [what: string, pair: Certificate, error: RegExp][] = [
  ['a key of another certificate', { cert, key: issue().key }, / POSTHORN_HTTP_KEY_PATH: must be/],
  ['a file without a certificate', { cert: key, key }, / POSTHORN_HTTP_CERTIFICATE_PATH: must be/],
  ['a file without a key', { cert, key: cert }, / POSTHORN_HTTP_KEY_PATH: must be a private key/],
];
for (const [what, pair, error] of refused) {
  test(`rejects ${what} with the name of its setting`, async (t) => {
    await assert.rejects(serve(t, pair), { name: 'ConfigError', message: error });
  });
}

test('rejects a missing file with the name of its setting', () => {
  const paths = { certificatePath: '/nowhere/tls.crt', keyPath: '/nowhere/tls.key' };
  assert.throws(
    () => new ServerCertificate({ paths, log: createLog('silent'), clock: systemClock }),
    {
      message: / POSTHORN_HTTP_CERTIFICATE_PATH: cannot be read/,
    },
  );
});
