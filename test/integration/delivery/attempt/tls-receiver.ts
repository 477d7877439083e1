import { type Server, createServer } from 'node:https';
import type { IncomingHttpHeaders } from 'node:http';
import type { Socket } from 'node:net';
import type { TestContext } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { type Certificate, makeCertificate } from '../../../kit/network/certificates.ts';
import { listenFor } from '../../infra/http/raw-server.ts';

export interface TlsRequest {
  /** The common name of the client's certificate, if it sent one. */
  client: string | undefined;
  headers: IncomingHttpHeaders;
  /** The same for all requests of one connection. */
  connection: number;
}

/** An https server on loopback that requests its own client certificate authority. */
export interface TlsReceiver {
  url: (path: string) => string;
  requests: TlsRequest[];
  /** The issuer of the server's certificate: the `ca` of its clients. */
  serverCa: string;
  newClient: (commonName: string) => Certificate;
}

/** @param options.required TLS rejects a client without a certificate of the authority */
export async function startTlsReceiver(
  t: TestContext,
  options: { required?: boolean } = {},
): Promise<TlsReceiver> {
  const own = makeCertificate();
  const clients = makeCertificate({ commonName: 'clients of the test' });
  const requests: TlsRequest[] = [];
  const connections = new WeakMap<Socket, number>();
  let connected = 0;
  const server: Server = createServer(
    {
      ...own,
      ca: clients.cert,
      requestCert: true,
      rejectUnauthorized: options.required ?? true,
    },
    (request, response) => {
      const { CN } = (request.socket as TLSSocket).getPeerCertificate().subject ?? {};
      const connection = connections.get(request.socket) ?? ++connected;
      connections.set(request.socket, connection);
      requests.push({ client: CN as string | undefined, headers: request.headers, connection });
      request.resume().once('end', () => response.end());
    },
  );
  const port = await listenFor(t, server);
  return {
    url: (path) => `https://localhost:${port}${path}`,
    requests,
    serverCa: own.cert,
    newClient: (commonName) => makeCertificate({ commonName, issuer: clients }),
  };
}
