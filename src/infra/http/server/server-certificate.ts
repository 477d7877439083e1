/**
 * The certificate of the HTTP servers of a process, read from two files (PEM). A renewed pair is
 * read within `CHECK_EVERY_MS`: new connections get it, and open ones continue. While the files do
 * not hold a pair that is valid now, the last one stays. A fault is logged if two checks find it:
 * one alone is a pair that is being replaced. A crash loses nothing: the next process reads the
 * files.
 */
import { X509Certificate, createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { type Server, createSecureContext } from 'node:tls';
import type { CertificateSettings } from '#config/sections.ts';
import type { Clock } from '#domain/clock.ts';
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
  clock: Pick<Clock, 'wallMs'>;
  checkEveryMs?: number;
}

export class ServerCertificate implements Service {
  readonly name = 'certificate';
  private readonly deps: ServerCertificateDeps;
  private readonly servers = new Set<Pick<Server, 'setSecureContext'>>();
  private current: CertificatePair;
  /** What the last checks found, so that it is logged once. */
  private fault: { text: string; isLogged: boolean } | undefined;
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
    const pair = await this.read();
    if (typeof pair === 'string') return this.refuse(pair);
    const fault = isSame(pair, this.current)
      ? undefined
      : (pairFault(pair) ?? timeFault(pair, this.deps.clock.wallMs()));
    if (fault !== undefined) return this.refuse(fault);
    this.fault = undefined;
    if (isSame(pair, this.current)) return;
    this.current = pair;
    for (const server of this.servers) server.setSecureContext(pair);
    const { validTo, serialNumber } = new X509Certificate(pair.cert);
    this.deps.log.info({ valid_to: validTo, serial: serialNumber }, 'certificate.renewed');
  }

  /** Returns the pair of the files, or why they cannot be read. */
  private async read(): Promise<CertificatePair | string> {
    const { certificatePath, keyPath } = this.deps.paths;
    let setting = CERTIFICATE;
    try {
      const cert = await readFile(certificatePath);
      setting = KEY;
      return { cert, key: await readFile(keyPath) };
    } catch (error) {
      return unreadable(setting, error);
    }
  }

  private refuse(text: string): void {
    if (this.fault?.text !== text) this.fault = { text, isLogged: false };
    else if (!this.fault.isLogged) {
      this.fault.isLogged = true;
      this.deps.log.error({ error: text }, 'certificate.refused');
    }
  }
}

function isSame(pair: CertificatePair, other: CertificatePair): boolean {
  return pair.cert.equals(other.cert) && pair.key.equals(other.key);
}

function readFirst(setting: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new ConfigError([unreadable(setting, error)]);
  }
}

function unreadable(setting: string, error: unknown): string {
  return `${setting}: cannot be read (${(error as Error).message})`;
}

/** Why a renewed certificate would be refused by every client now; undefined if it would not. */
function timeFault({ cert }: CertificatePair, wallMs: number): string | undefined {
  const { validFromDate, validToDate } = new X509Certificate(cert);
  if (wallMs < validFromDate.getTime()) {
    return `${CERTIFICATE}: is not valid before ${validFromDate.toISOString()}`;
  }
  if (wallMs <= validToDate.getTime()) return undefined;
  return `${CERTIFICATE}: has expired at ${validToDate.toISOString()}`;
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
