import { writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { natsServer } from '#src/embedded/program.ts';
import { ServerProcess } from '#src/embedded/server-process.ts';
import { findFreePort } from '#src/embedded/free-port.ts';
import { makeCertificate } from '../../../kit/network/certificates.ts';
import { testBinary } from '#testkit/servers.ts';
import { tempDir } from '#testkit/temp-dir.ts';
import { waitUntil } from '#testkit/wait-until.ts';

export interface TlsBroker {
  port: number;
  /** The authority that signed the certificate of the server, as PEM. */
  authority: string;
}

interface TlsBrokerOptions {
  /** Further lines of its block `tls`. */
  tls?: string;
  /** Lines of its configuration that say who may connect, instead of the user. */
  access?: string;
}

/**
 * Starts a nats-server that speaks TLS only and knows one user. @param commonName the name in its
 * certificate
 */
export async function startTlsBroker(
  t: TestContext,
  user: { user: string; password: string },
  commonName = 'localhost',
  options: TlsBrokerOptions = {},
): Promise<TlsBroker> {
  const dir = await tempDir(t);
  const authority = makeCertificate({ commonName: 'an authority' });
  const { cert, key } = makeCertificate({ commonName, issuer: authority });
  const files = { cert: join(dir, 'cert.pem'), key: join(dir, 'key.pem') };
  await writeFile(files.cert, cert);
  await writeFile(files.key, key);
  const port = await findFreePort();
  const config = join(dir, 'nats.conf');
  await writeFile(
    config,
    `listen: "127.0.0.1:${port}"
tls { cert_file: "${files.cert}", key_file: "${files.key}", timeout: 30, ${options.tls ?? ''} }
${options.access ?? `authorization { timeout: 30, users: [ ${JSON.stringify(user)} ] }`}
`,
  );
  const binary = await testBinary(natsServer);
  const server = await ServerProcess.spawn({
    name: 'nats-server',
    binary,
    args: ['--config', config],
  });
  t.after(() => server.stop());
  await waitUntil(
    async () => {
      if (server.ended) throw new Error(server.output);
      return accepts(port);
    },
    { what: 'a broker with TLS', deadlineMs: 30_000 },
  );
  return { port, authority: authority.cert };
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}
