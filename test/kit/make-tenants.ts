import type { System } from './system.ts';
import type { WebhookReceiver } from './webhook-receiver.ts';

/**
 * Creates the tenants `<prefix>0`, `<prefix>1`, … with one endpoint each, at `/<tenant>` of the
 * receiver.
 */
export async function makeTenants(
  system: System,
  receiver: WebhookReceiver,
  count: number,
  prefix = 't',
  policiesOf: (tenant: number) => Record<string, unknown> = () => ({}),
): Promise<string[]> {
  const tenants = Array.from({ length: count }, (_, i) => `${prefix}${i}`);
  for (const [i, tenant] of tenants.entries()) {
    await system.api('PUT', `/v1/tenants/${tenant}`, {});
    const url = receiver.url(`/${tenant}`);
    const made = await system.api('POST', `/v1/tenants/${tenant}/endpoints`, {
      url,
      ...policiesOf(i),
    });
    if (made.status !== 201) throw new Error(`no endpoint: ${JSON.stringify(made.body)}`);
  }
  return tenants;
}
