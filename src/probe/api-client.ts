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

  /** @throws ApiRefusal for every answer that is no 2xx, and whatever fetch throws where there is none */
  control(method: string, path: string, body?: object): Promise<unknown> {
    return this.call(this.deps.controlUrl, method, path, body);
  }

  /** Publishes one event. @throws as `control` */
  async publish(tenant: string, event: { id: string; type: string; data: object }): Promise<void> {
    await this.call(this.deps.ingressUrl, 'POST', `/v1/tenants/${tenant}/events`, event);
  }

  private async call(base: string, method: string, path: string, body?: object): Promise<unknown> {
    const response = await fetch(base + path, {
      method,
      headers: {
        authorization: `Bearer ${this.deps.key}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      body: body === undefined ? null : JSON.stringify(body),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const text = await response.text();
    if (!response.ok) throw new ApiRefusal(method, path, response.status, text);
    return text === '' ? undefined : JSON.parse(text);
  }
}
