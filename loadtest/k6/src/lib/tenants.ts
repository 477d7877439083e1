/** The tenants of a run: created in `setup`, removed in `teardown`. */
import http from 'k6/http';
import { API_KEY, CONTROL_URL, RECEIVER_PUBLIC_URL, RUN } from './target.ts';

/** Behaviour of the receiver at an endpoint: the first part of its path. */
export type Behaviour = 'ok' | 'slow' | 'error' | 'hang';

export interface TenantPlan {
  name: string;
  /** Group with which the latencies are aggregated. */
  group: string;
  /** Endpoints in addition to the healthy one. */
  beside?: readonly Behaviour[];
}

const headers = { authorization: `Bearer ${API_KEY}`, 'content-type': 'application/json' };

export function tenantId(name: string): string {
  return `k6-${RUN}-${name}`;
}

/** Plans `count` tenants with one healthy endpoint each. */
export function healthyTenants(count: number, group = 't'): TenantPlan[] {
  return Array.from({ length: count }, (_, i) => ({ name: `${group}${i}`, group }));
}

export function makeTenants(plans: readonly TenantPlan[]): void {
  for (const plan of plans) {
    const tenant = tenantId(plan.name);
    expectSuccess(
      http.put(`${CONTROL_URL}/v1/tenants/${tenant}`, JSON.stringify({ name: tenant }), {
        headers,
      }),
    );
    const behaviours: Behaviour[] = ['ok', ...(plan.beside ?? [])];
    behaviours.forEach((behaviour, i) => {
      const url = `${RECEIVER_PUBLIC_URL}/${behaviour}/${plan.group}/${plan.name}/${i}`;
      expectSuccess(
        http.post(`${CONTROL_URL}/v1/tenants/${tenant}/endpoints`, JSON.stringify({ url }), {
          headers,
        }),
      );
    });
  }
}

export function removeTenants(plans: readonly TenantPlan[]): void {
  for (const plan of plans) {
    const { authorization } = headers;
    http.del(`${CONTROL_URL}/v1/tenants/${tenantId(plan.name)}`, null, {
      headers: { authorization },
    });
  }
}

function expectSuccess(response: { status: number; url: string; body: unknown }): void {
  if (response.status >= 200 && response.status < 300) return;
  throw new Error(`${response.url}: ${response.status} ${String(response.body)}`);
}
