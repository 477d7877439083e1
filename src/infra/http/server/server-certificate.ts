/**
 * The certificate of the HTTP servers of a process, read from two files (PEM). A renewed pair is
 * read within `CHECK_EVERY_MS`: new connections get it, and open ones continue. While the files do
 * not hold a valid pair (one of them is not replaced yet), the last one stays. A crash loses
 * nothing: the next process reads the files.
 */
import { X509Certificate, createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { type Server, createSecureContext } from 'node:tls';
import type { CertificateSettings } from '#config/sections.ts';
import { ConfigError } from '#domain/errors.ts';
import type { Service } from '../../service.ts';
import type { Log } from '../../telemetry/log.ts';

const CHECK_EVERY_MS = 5000;

const CERTIFICATE = 'POSTHORN_HTTP_CERTIFICATE_PATH';
const KEY = 'POSTHORN_HTTP_KEY_PATH';

/** PEM. The certificate is first in its file, followed by those of its chain. */
export interface CertificatePair {
  cert: Buffer;
  key: Buffer;
}

export interface ServerCertificateDeps {
  paths: CertificateSettings;
  log: Pick<Log, 'info' | 'error'>;
  checkEveryMs?: number;
}

export class ServerCertificate implements Service {
  readonly name = 'certificate';
  private readonly deps: ServerCertificateDeps;
  private readonly servers = new Set<Pick<Server, 'setSecureContext'>>();
  private current: CertificatePair;
  /** The content that was refused last, so that it is logged once. */
  private refused: CertificatePair | undefined;
  private timer: NodeJS.Timeout | undefined;

  /** @throws ConfigError that names the setting of a file that cannot be used */
  constructor(deps: ServerCertificateDeps) {
    this.deps = deps;
    const { certificatePath, keyPath } = deps.paths;
    this.current = {
      cert: readFirst(CERTIFICATE, certificatePath),
      key: readFirst(KEY, keyPath),
    };
    const fault = pairFault(this.current);
    if (fault !== undefined) throw new ConfigError([fault]);
  }

  /** The pair that is in force. */
  get pair(): CertificatePair {
    return this.current;
  }

  /** Gives each renewed pair to the new connections of `server`. */
  follow(server: Pick<Server, 'setSecureContext'>): void {
    this.servers.add(server);
  }

  start(): Promise<void> {
    this.schedule();
    return Promise.resolve();
  }

  stop(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    return Promise.resolve();
  }

  private schedule(): void {
    const timer = setTimeout(() => {
      void this.reload().finally(() => {
        // Unless it was stopped in the meantime.
        if (this.timer === timer) this.schedule();
      });
    }, this.deps.checkEveryMs ?? CHECK_EVERY_MS);
    timer.unref();
    this.timer = timer;
  }

  private async reload(): Promise<void> {
    const { paths, log } = this.deps;
    let pair: CertificatePair;
    try {
      pair = { cert: await readFile(paths.certificatePath), key: await readFile(paths.keyPath) };
    } catch {
      // A file is being replaced.
      return;
    }
    if (isSame(pair, this.current) || isSame(pair, this.refused)) return;
    const fault = pairFault(pair);
    if (fault === undefined) {
      this.refused = undefined;
      this.current = pair;
      for (const server of this.servers) server.setSecureContext(pair);
      const { validTo, serialNumber } = new X509Certificate(pair.cert);
      log.info({ valid_to: validTo, serial: serialNumber }, 'certificate.renewed');
    } else {
      this.refused = pair;
      log.error({ error: fault }, 'certificate.refused');
    }
  }
}

function isSame(pair: CertificatePair, other: CertificatePair | undefined): boolean {
  return other !== undefined && pair.cert.equals(other.cert) && pair.key.equals(other.key);
}

function readFirst(setting: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new ConfigError([`${setting}: cannot be read (${(error as Error).message})`]);
  }
}

/** Why the pair cannot be used, with the setting; undefined if it can. */
function pairFault(pair: CertificatePair): string | undefined {
  const certificate = attempt(() => new X509Certificate(pair.cert));
  if (certificate === undefined) return `${CERTIFICATE}: must be a certificate in PEM`;
  const key = attempt(() => createPrivateKey(pair.key));
  if (key === undefined) return `${KEY}: must be a private key in PEM, without a passphrase`;
  if (!certificate.checkPrivateKey(key)) {
    return `${KEY}: must be the key of the first certificate of ${CERTIFICATE}`;
  }
  try {
    createSecureContext(pair);
  } catch (error) {
    // OpenSSL refuses it, for example a key of 512 bits.
    return `${CERTIFICATE}, ${KEY}: cannot be used (${(error as Error).message})`;
  }
  return undefined;
}

function attempt<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch {
    return undefined;
  }
}
