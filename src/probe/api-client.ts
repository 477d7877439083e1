import { readFile } from 'node:fs/promises';
import { fetchWithoutProxy } from '#infra/http/client/fetch-without-proxy.ts';

/** Calls the platform through its public API, like any client. */
const TIMEOUT_MS = 10_000;

export interface ApiClientDeps {
  /** Base URLs, without a slash at the end. */
  ingressUrl: string;
  controlUrl: string;
  key: string;
  /** A file with the authorities that sign the certificates of both. Undefined: the public ones. */
  caPath?: string | undefined;
}

/** An API answer with a status other than 2xx. */
export class ApiRefusal extends Error {
  readonly status: number;
  constructor(method: string, path: string, status: number, text: string) {
    super(`${method} ${path} answered ${status}: ${text.slice(0, 500)}`);
    this.name = 'ApiRefusal';
    this.status = status;
  }
}

export class ApiClient {
  private readonly deps: ApiClientDeps;

  constructor(deps: ApiClientDeps) {
    this.deps = deps;
  }

  /**
   * @throws ApiRefusal for every answer other than 2xx; the connection's error if there is no
   * answer
   */
  control(method: string, path: string, body?: object): Promise<unknown> {
    return this.call(this.deps.controlUrl, method, path, body);
  }

  /** Publishes one event. @throws as `control` */
  async publish(tenant: string, event: { id: string; type: string; data: object }): Promise<void> {
    await this.call(this.deps.ingressUrl, 'POST', `/v1/tenants/${tenant}/events`, event);
  }

  private async call(base: string, method: string, path: string, body?: object): Promise<unknown> {
    const { key, caPath } = this.deps;
    // At each call, so that a renewed file is in force.
    const ca = caPath === undefined ? undefined : await readFile(caPath, 'utf8');
    const { status, ok, text } = await fetchWithoutProxy(base + path, {
      method,
      ca,
      headers: {
        authorization: `Bearer ${key}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      timeoutMs: TIMEOUT_MS,
    });
    if (!ok) throw new ApiRefusal(method, path, status, text);
    return text === '' ? undefined : JSON.parse(text);
  }
}
