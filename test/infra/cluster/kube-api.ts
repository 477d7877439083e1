import { Agent, request } from 'undici';
import type { Manifest } from '../manifests.ts';

/** A rejection by the API server, with its status and message. */
export class KubeError extends Error {
  readonly statusCode: number;

  constructor(what: string, statusCode: number, message: string) {
    super(`${what}: ${statusCode} ${message}`);
    this.name = 'KubeError';
    this.statusCode = statusCode;
  }
}

export interface KubeObject extends Manifest {
  metadata: Manifest['metadata'] & {
    uid: string;
    deletionTimestamp?: string;
    ownerReferences?: { kind: string; name: string }[];
  };
  status?: Record<string, unknown>;
}

interface KubeApiDeps {
  /** `https://127.0.0.1:<port>` */
  url: string;
  token: string;
  /** The certificate authority of the server, as PEM. */
  ca: string;
}

interface Call {
  method?: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  body?: unknown;
  contentType?: string;
}

/**
 * An HTTP client of the API server with the operations that the checks need. It replaces kubectl.
 */
export class KubeApi {
  private readonly deps: KubeApiDeps;
  private readonly agent: Agent;
  /** Paths of kinds by apiVersion. They never change once they exist. */
  private readonly plurals = new Map<
    string,
    Map<string, { plural: string; namespaced: boolean }>
  >();

  constructor(deps: KubeApiDeps) {
    this.deps = deps;
    this.agent = new Agent({ connect: { ca: deps.ca }, connections: 8 });
  }

  /** @throws KubeError if the answer is not 2xx */
  async call(path: string, call: Call = {}): Promise<{ body: unknown; warnings: string[] }> {
    const { method = 'GET', body, contentType = 'application/json' } = call;
    const response = await request(new URL(path, this.deps.url), {
      method,
      dispatcher: this.agent,
      headers: { authorization: `Bearer ${this.deps.token}`, 'content-type': contentType },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.body.text();
    if (response.statusCode >= 300) {
      throw new KubeError(`${method} ${path}`, response.statusCode, messageOf(text));
    }
    const warnings = [response.headers.warning ?? []].flat();
    return { body: text.startsWith('{') ? (JSON.parse(text) as unknown) : text, warnings };
  }

  /**
   * Applies an object on the server side, as Argo CD does. An unknown field is an error.
   *
   * @returns the warnings of the server
   */
  async apply(manifest: Manifest, options: { dryRun?: boolean } = {}): Promise<string[]> {
    const query = new URLSearchParams({ fieldManager: 'checks', fieldValidation: 'Strict' });
    query.set('force', 'true');
    if (options.dryRun === true) query.set('dryRun', 'All');
    const { warnings } = await this.call(`${await this.pathOf(manifest)}?${query.toString()}`, {
      method: 'PATCH',
      body: manifest,
      contentType: 'application/apply-patch+yaml',
    });
    return warnings;
  }

  async get(of: Manifest): Promise<KubeObject> {
    return (await this.call(await this.pathOf(of))).body as KubeObject;
  }

  /** Lists objects of one namespace, or of all. */
  async list(
    apiVersion: string,
    kind: string,
    options: { namespace?: string; labels?: Record<string, string> } = {},
  ): Promise<KubeObject[]> {
    const path = await this.folderOf(apiVersion, kind, options.namespace);
    const pairs = Object.entries(options.labels ?? {}).map((pair) => pair.join('='));
    const query = new URLSearchParams({ labelSelector: pairs.join(',') });
    const { items } = (await this.call(`${path}?${query.toString()}`)).body as {
      items: KubeObject[];
    };
    // A list states the kind once, not on each item.
    return items.map((item) => ({ ...item, apiVersion, kind }));
  }

  /** A JSON merge patch (RFC 7396). */
  async merge(of: Manifest, patch: object): Promise<void> {
    await this.call(await this.pathOf(of), {
      method: 'PATCH',
      body: patch,
      contentType: 'application/merge-patch+json',
    });
  }

  async delete(of: Manifest): Promise<void> {
    await this.call(await this.pathOf(of), { method: 'DELETE' });
  }

  /**
   * Evicts a pod, as a drain does.
   *
   * @throws KubeError with status 429 if a disruption budget forbids it
   */
  async evict(pod: Manifest): Promise<void> {
    const { name, namespace } = pod.metadata;
    const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace } };
    await this.call(`${await this.pathOf(pod)}/eviction`, { method: 'POST', body: eviction });
  }

  async close(): Promise<void> {
    await this.agent.destroy();
  }

  private async pathOf({ apiVersion, kind, metadata }: Manifest): Promise<string> {
    return `${await this.folderOf(apiVersion, kind, metadata.namespace)}/${metadata.name}`;
  }

  private async folderOf(apiVersion: string, kind: string, namespace?: string): Promise<string> {
    const base = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
    let kinds = this.plurals.get(apiVersion);
    if (kinds?.has(kind) !== true) {
      const { resources } = (await this.call(base)).body as {
        resources: { name: string; kind: string; namespaced: boolean }[];
      };
      const own = resources.filter(({ name }) => !name.includes('/'));
      kinds = new Map(
        own.map(({ name, kind, namespaced }) => [kind, { plural: name, namespaced }]),
      );
      this.plurals.set(apiVersion, kinds);
    }
    const found = kinds.get(kind);
    if (found === undefined) throw new Error(`the API server knows no ${kind} of ${apiVersion}`);
    const within = found.namespaced && namespace !== undefined ? `/namespaces/${namespace}` : '';
    return `${base}${within}/${found.plural}`;
  }
}

function messageOf(text: string): string {
  try {
    return (JSON.parse(text) as { message?: string }).message ?? text;
  } catch {
    return text;
  }
}
