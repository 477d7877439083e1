import assert from 'node:assert/strict';
import { waitUntil } from '#testkit/wait-until.ts';

type Api = (
  method: string,
  path: string,
  body?: object,
) => Promise<{ status: number; body: unknown }>;

/**
 * Replays the dead letters of a tenant by a plan, and returns the number of new deliveries once the
 * replay is completed.
 *
 * @param filter absent: all
 */
export async function replayDeadLetters(
  api: Api,
  tenant: string,
  filter?: object,
): Promise<number> {
  const path = `/v1/tenants/${tenant}`;
  const selection = filter === undefined ? { all: true } : { filter };
  const plan = { action: 'replay', kind: 'dead_letters', per_second: 1000, ...selection };
  const { id: planId } = (await ok(api('POST', `${path}/plans`, plan))) as { id: string };
  await waitUntil(
    async () => {
      const { status } = await ok(api('GET', `${path}/plans/${planId}`));
      return status === 'ready';
    },
    { what: 'the plan is ready', deadlineMs: 60_000 },
  );
  const { id } = await ok(api('POST', `${path}/replays`, { plan_id: planId }));
  const ended = await waitUntil(
    async () => {
      const replay = await ok(api('GET', `${path}/replays/${String(id)}`));
      return replay['status'] === 'completed' ? replay : undefined;
    },
    { what: 'the replay is completed', deadlineMs: 60_000 },
  );
  const results = ended['results'] as { reason: string; count: number }[];
  return results.find(({ reason }) => reason === 'replayed')?.count ?? 0;
}

async function ok(
  answer: Promise<{ status: number; body: unknown }>,
): Promise<Record<string, unknown>> {
  const { status, body } = await answer;
  assert.ok(status < 300, JSON.stringify(body));
  return body as Record<string, unknown>;
}
