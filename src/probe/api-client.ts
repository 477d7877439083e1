import { askDirectly } from '#infra/http/client/ask-directly.ts';

/** What the probe asks of the platform: by the public API, as everybody else. */
const TIMEOUT_MS = 10_000;

export interface ApiClientDeps {
  /** Base URLs, without a slash at the end. */
  ingressUrl: string;
  controlUrl: string;
  key: string;
}

/** An answer that was not the one hoped for. */
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

  /** @throws ApiRefusal for every answer that is no 2xx, and the error of the connection where there is none */
  control(method: string, path: string, body?: object): Promise<unknown> {
    return this.call(this.deps.controlUrl, method, path, body);
  }

  /** Publishes one event. @throws as `control` */
  async publish(tenant: string, event: { id: string; type: string; data: object }): Promise<void> {
    await this.call(this.deps.ingressUrl, 'POST', `/v1/tenants/${tenant}/events`, event);
  }

  private async call(base: string, method: string, path: string, body?: object): Promise<unknown> {
    const { status, ok, text } = await askDirectly(base + path, {
      method,
      headers: {
        authorization: `Bearer ${this.deps.key}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      timeoutMs: TIMEOUT_MS,
    });
    if (!ok) throw new ApiRefusal(method, path, status, text);
    return text === '' ? undefined : JSON.parse(text);
  }
}
