import { fetchWithoutProxy } from '#infra/http/client/fetch-without-proxy.ts';
import type { DataDir } from '../start/data-dir.ts';

const FILE = 'demo.json';
const TENANT = 'demo';

/**
 * The demo endpoint as kept in the data folder. The API shows its secret only once, on creation.
 */
interface DemoEndpoint {
  id: string;
  secret: string;
  url: string;
}

export interface DemoDeps {
  /** Like `http://127.0.0.1:8080`. */
  apiUrl: string;
  key: string;
  /** The receiver's address for the demo endpoint. */
  hookUrl: string;
  dataDir: DataDir;
}

/**
 * Ensures, through the public API, that tenant `demo` has one endpoint that points at the demo
 * receiver. Idempotent: a later start finds the endpoint and adds none.
 */
export async function seedDemo(deps: DemoDeps): Promise<string> {
  await call(deps, 'PUT', `/v1/tenants/${TENANT}`, { name: 'Demo' });
  const kept = deps.dataDir.read(FILE) as DemoEndpoint | undefined;
  const endpoints = `/v1/tenants/${TENANT}/endpoints`;
  const data = await listAll(deps, endpoints);
  const current = data.find(({ id }) => id === kept?.id);
  if (kept !== undefined && current?.url === deps.hookUrl) return kept.secret;
  // Replace the old endpoint: the receiver's port changed, or the secret is lost.
  const useless = data.filter(({ id, url }) => id === kept?.id || url === deps.hookUrl);
  for (const { id } of useless) await call(deps, 'DELETE', `${endpoints}/${id}`);
  const made = (await call(deps, 'POST', endpoints, { url: deps.hookUrl })) as DemoEndpoint;
  deps.dataDir.write(FILE, { id: made.id, secret: made.secret, url: deps.hookUrl });
  return made.secret;
}

/**
 * Reads every page: creating an endpoint that is on a later page would be refused as a duplicate.
 */
async function listAll(deps: DemoDeps, path: string): Promise<{ id: string; url: string }[]> {
  const found: { id: string; url: string }[] = [];
  let next: string | null = '';
  while (next !== null) {
    const page = (await call(deps, 'GET', `${path}?limit=250${next}`)) as {
      data: { id: string; url: string }[];
      next_cursor: string | null;
    };
    found.push(...page.data);
    next = page.next_cursor === null ? null : `&cursor=${page.next_cursor}`;
  }
  return found;
}

async function call(deps: DemoDeps, method: string, path: string, body?: unknown) {
  const headers: Record<string, string> = { authorization: `Bearer ${deps.key}` };
  if (body !== undefined) headers['content-type'] = 'application/json';
  const { status, ok, text } = await fetchWithoutProxy(`${deps.apiUrl}${path}`, {
    method,
    headers,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    timeoutMs: 15_000,
  });
  if (!ok) throw new Error(`${method} ${path} answered ${status}: ${text}`);
  return text === '' ? undefined : (JSON.parse(text) as unknown);
}
