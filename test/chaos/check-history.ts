import type { DeliverySummary } from '#wire/api/delivery.ts';
import type { Arena } from './fault.ts';

interface Page {
  data: DeliverySummary[];
  next_cursor: string | null;
}

/**
 * Compares the history of each delivery in the control API with the receiver's requests. Each
 * accepted event must have one delivery, with status delivered and at least as many attempts as
 * answered requests. After a duplicate webhook the record of an attempt may be missing: its worker
 * died before it was stored.
 *
 * @returns the differences, for a few events at most
 */
export async function checkHistory({ system, ledger, tenants }: Arena): Promise<string[]> {
  const recorded = new Map<string, DeliverySummary[]>();
  for (const tenant of tenants) {
    for (const delivery of await deliveriesOf(system, tenant)) {
      const key = `${tenant}/${delivery.event_id}`;
      recorded.set(key, [...(recorded.get(key) ?? []), delivery]);
    }
  }
  const faults: string[] = [];
  for (const key of ledger.keys()) {
    const deliveries = recorded.get(key) ?? [];
    const [delivery] = deliveries;
    const { requests, cut, answeredMs } = ledger.of(key);
    const attemptsMin = Math.max(1, requests - cut - (answeredMs.length - 1));
    const well =
      deliveries.length === 1 &&
      delivery?.status === 'delivered' &&
      delivery.attempt_count >= attemptsMin;
    if (well) continue;
    const seen = deliveries.map(({ status, attempt_count }) => `${status} ${attempt_count}`);
    faults.push(`history of ${key}: ${seen.join()}; requests: ${requests}, cut: ${cut}`);
  }
  return faults.slice(0, 5);
}

async function deliveriesOf(system: Arena['system'], tenant: string): Promise<DeliverySummary[]> {
  const found: DeliverySummary[] = [];
  for (let cursor: string | null = ''; cursor !== null;) {
    const from: string = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    const path = `/v1/tenants/${tenant}/deliveries?limit=100${from}`;
    const { status, body } = await system.api('GET', path);
    if (status !== 200) throw new Error(`${path}: ${status} ${JSON.stringify(body)}`);
    const page = body as Page;
    found.push(...page.data);
    cursor = page.next_cursor;
  }
  return found;
}
