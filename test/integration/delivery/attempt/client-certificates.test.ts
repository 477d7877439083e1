import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeCertificate } from '../../../kit/network/certificates.ts';
import { type TlsReceiver, startTlsReceiver } from './tls-receiver.ts';
import { Worker } from '../worker.ts';

const withCertificate = (worker: Worker, receiver: TlsReceiver, id: string, client: string) => {
  const certificate = { ...receiver.newClient(client), ca: receiver.serverCa };
  return { url: receiver.url(`/${id}`), ...worker.sealed(id, { certificate }) };
};

async function deliver(worker: Worker, endpoint: string, tenant = 'acme') {
  const { delivery } = await worker.publishDelivery(tenant, endpoint);
  return worker.recordsUntil(delivery.id, 'delivered');
}

async function failures(worker: Worker, endpoint: string) {
  const { delivery } = await worker.publishDelivery('acme', endpoint);
  const records = await worker.recordsUntil(delivery.id, 'failed');
  return records.map(({ attempt }) => attempt);
}

test('the receiver gets the client certificate together with the authorization', async (t) => {
  const worker = await Worker.start(t);
  const receiver = await startTlsReceiver(t);
  worker.endpoint('acme', 'ep_1', {
    ...withCertificate(worker, receiver, 'ep_1', 'acme-1'),
    ...worker.sealed('ep_1', { credentials: { type: 'bearer', token: 'tok-123456789' } }),
  });
  await deliver(worker, 'ep_1');
  const [request] = receiver.requests;
  assert.equal(request?.client, 'acme-1');
  assert.equal(request.headers.authorization, 'Bearer tok-123456789');
});

test('endpoints of one tenant and origin share no connection when their certificates differ', async (t) => {
  const worker = await Worker.start(t);
  const receiver = await startTlsReceiver(t, { required: false });
  const names = ['one', 'two'];
  for (const name of names) {
    worker.endpoint('acme', name, withCertificate(worker, receiver, name, name));
  }
  const certificate = { ...makeCertificate(), ca: receiver.serverCa };
  worker.endpoint('acme', 'untrusted', {
    url: receiver.url('/untrusted'),
    ...worker.sealed('untrusted', { certificate }),
  });
  for (let round = 0; round < 3; round++) {
    for (const id of [...names, 'untrusted']) await deliver(worker, id);
  }
  const seen = new Map<number, Set<string | undefined>>();
  for (const { connection, client } of receiver.requests) {
    seen.set(connection, (seen.get(connection) ?? new Set()).add(client));
  }
  for (const clients of seen.values()) assert.equal(clients.size, 1);
  assert.deepEqual(new Set(receiver.requests.map(({ client }) => client)).size, 3);
  // One keep-alive connection for each certificate.
  assert.equal(seen.size, 3);
});

test('a changed certificate is used from the next attempt on', async (t) => {
  const worker = await Worker.start(t);
  const receiver = await startTlsReceiver(t);
  worker.endpoint('acme', 'ep_1', withCertificate(worker, receiver, 'ep_1', 'old'));
  await deliver(worker, 'ep_1');
  worker.endpoint('acme', 'ep_1', withCertificate(worker, receiver, 'ep_1', 'new'));
  await deliver(worker, 'ep_1');
  assert.deepEqual(
    receiver.requests.map(({ client }) => client),
    ['old', 'new'],
  );
});

test('a client certificate that the receiver does not trust fails the attempt and affects no other endpoint', async (t) => {
  const worker = await Worker.start(t);
  const receiver = await startTlsReceiver(t);
  const { serverCa: ca } = receiver;
  const stranger = { ...makeCertificate({ commonName: 'stranger' }), ca };
  worker.endpoint('acme', 'ep_1', {
    url: receiver.url('/'),
    ...worker.sealed('ep_1', { certificate: stranger }),
  });
  worker.endpoint('acme', 'ep_2', withCertificate(worker, receiver, 'ep_2', 'known'));
  // In TLS 1.3 the client learns this after its handshake, from an alert or a closed connection.
  for (const attempt of await failures(worker, 'ep_1')) {
    assert.ok(attempt?.failure === 'tls' || attempt?.failure === 'reset', attempt?.detail);
    assert.notEqual(attempt.detail, '');
  }
  await deliver(worker, 'ep_2');
  assert.deepEqual(
    receiver.requests.map(({ client }) => client),
    ['known'],
  );
});

test('a server certificate not signed by the ca fails as tls with the reason, and nothing is sent', async (t) => {
  const worker = await Worker.start(t);
  const receiver = await startTlsReceiver(t);
  const certificate = { ...receiver.newClient('acme'), ca: makeCertificate().cert };
  worker.endpoint('acme', 'ep_1', {
    url: receiver.url('/'),
    ...worker.sealed('ep_1', { certificate }),
  });
  for (const attempt of await failures(worker, 'ep_1')) {
    assert.equal(attempt?.failure, 'tls', attempt?.detail);
    assert.match(attempt.detail ?? '', /certificate/i);
  }
  assert.equal(receiver.requests.length, 0);
});
