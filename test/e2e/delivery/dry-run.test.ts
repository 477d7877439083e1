/**
 * The dry run against ingress and router: generated samples are published through the whole system,
 * and what became of each is what the dry run and the explanation say of it.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import * as fc from 'fast-check';
import { type System, startSystem } from '#testkit/system.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { type Members, sample, typedSamples } from './event-samples.ts';

const INACTIVE = 'POSTHORN_EVENT_TYPE_INACTIVE';
/** Each is the answer to some of the samples. */
const REFUSALS = [
  INACTIVE,
  'POSTHORN_EVENT_TYPE_UNKNOWN',
  'POSTHORN_EVENT_DATA_INVALID',
  'POSTHORN_EVENT_INVALID',
];
const SAMPLES = 60;
const START_MS_MAX = 400_000;
const TEST_MS_MAX = 240_000;
const TENANT = '/v1/tenants/acme';
const STRICT = '/v1/tenants/strict';

const EVENT_TYPES: [name: string, settings: object][] = [
  ['order.created', {}],
  [
    'typed.number',
    {
      schema: {
        type: 'object',
        required: ['n'],
        properties: { n: { type: 'number', minimum: 0 }, other: { type: 'string' } },
      },
    },
  ],
  ['typed.high', { priority: 'high' }],
  ['typed.off', { status: 'inactive' }],
];

/** One of each kind of question that a filter can ask about what ingress adds or rewrites. */
const SELECTIONS: { event_types?: string[]; filter?: Record<string, unknown> }[] = [
  { event_types: ['order.*'] },
  { event_types: ['order.created'], filter: { source: '/shop' } },
  { filter: { source: '/tenants/acme' } },
  { filter: { id: { $exists: true } } },
  { filter: { id: { $regex: '^evt_' } } },
  { filter: { time: { $gt: '2026-06-01T00:00:00Z' } } },
  { filter: { time: '2026-01-31T12:00:00Z' } },
  { filter: { subject: { $exists: false } } },
  { filter: { subject: 'order/42' } },
  { filter: { specversion: { $exists: true } } },
  { filter: { datacontenttype: { $exists: true } } },
  { filter: { dataschema: { $exists: true } } },
  { filter: { priority: 'high' } },
  { filter: { posthornpriority: 'high' } },
  { filter: { level: 2 } },
  { filter: { level: '2' } },
  { filter: { level: true } },
  { filter: { data: { $exists: true } } },
  { filter: { data: null } },
  { filter: { data: 'text' } },
  { filter: { data: { $gt: 50 } } },
  { filter: { 'data.n': 100 } },
  { filter: { 'data.n': { $gt: 1e18 } } },
  { filter: { 'data.n': { $exists: false } } },
  { filter: { 'data.a.b.c': 2 } },
  { filter: { 'data.list': { $elemMatch: { n: { $gte: 1 } } } } },
  { filter: { $nor: [{ 'data.n': { $in: [null, 100] } }] } },
];

let system: System;

before(
  async () => {
    system = await startSystem([['ingress', 'router', 'control']]);
    await call('PUT', TENANT, '{}');
    await call('PUT', STRICT, '{"event_type_policy":"strict"}');
    for (const [name, settings] of EVENT_TYPES) {
      await call('PUT', `/v1/event-types/${name}`, JSON.stringify(settings));
    }
    // Ingress knows the types in the order in which they were written.
    const text = '{"type":"typed.off"}';
    await waitUntil(
      async () => (await call('POST', `${STRICT}/events`, text)).body.code === INACTIVE || null,
      { what: 'the types are in force' },
    );
  },
  { timeout: START_MS_MAX },
);

after(() => system?.stop());

interface Answer {
  status: number;
  // oxlint-disable-next-line typescript/no-explicit-any -- answers of many forms
  body: any;
}

async function call(method: string, path: string, text?: string): Promise<Answer> {
  const init = text === undefined ? { method } : { method, body: text };
  const response = await system.fetch(path, init);
  return { status: response.status, body: await response.json() };
}

/** The text of an event; its id, if it has one, is no other's. */
function textOf(members: Members, index: number): string {
  const texts = members.map(([name, text]) => {
    return `"${name}":${name === 'id' ? text.replace('#', String(index)) : text}`;
  });
  return `{${texts.join()}}`;
}

/** The endpoints that an event became deliveries for, once it is routed. */
async function routedTo(id: string): Promise<Set<string>> {
  const path = `${TENANT}/events/${id}`;
  await waitUntil(
    async () => (await call('GET', path)).body.matched_endpoint_count !== null || null,
    {
      what: `${id} is routed`,
      deadlineMs: 60_000,
    },
  );
  const { body } = await call('GET', `${path}/deliveries?limit=250`);
  return new Set(body.data.map((each: { endpoint_id: string }) => each.endpoint_id));
}

function dryRun(tenant: string, event: string, selection: object): Promise<Answer> {
  const rest = JSON.stringify(selection).slice(1);
  const body = `{"event":${event}${rest === '}' ? '' : ','}${rest}`;
  return call('POST', `${tenant}/subscriptions/dry-run`, body);
}

/** An answer to compare: its error with each fault, or that there is none. */
function refusalOf({ status, body }: Answer, below: string): string {
  if (status < 300) return 'accepted';
  const faults = (body.errors ?? []).map(
    ({ pointer, detail }: { pointer: string; detail: string }) => `${below}${pointer} ${detail}`,
  );
  return [status, body.code, ...faults].join();
}

test(
  'a dry run and an explanation give the decisions that ingress and router make for the same samples',
  { timeout: TEST_MS_MAX },
  async () => {
    const endpoints: string[] = [];
    for (const [index, selection] of SELECTIONS.entries()) {
      const url = `https://example.com/${index}`;
      const made = await call('POST', `${TENANT}/endpoints`, JSON.stringify({ url, ...selection }));
      assert.equal(made.status, 201, JSON.stringify(made.body));
      endpoints.push(made.body.id);
    }
    const published: { id: string; text: string }[] = [];
    const differences: string[] = [];
    const codes = new Set<string>();
    const samples = [...typedSamples, ...fc.sample(sample, SAMPLES)];
    for (const [index, members] of samples.entries()) {
      const text = textOf(members, index);
      for (const tenant of [TENANT, STRICT]) {
        const answer = await call('POST', `${tenant}/events`, text);
        if (answer.status !== 202) codes.add(answer.body.code);
        else if (tenant === TENANT) published.push({ id: answer.body.id, text });
        const ofPublish = refusalOf(answer, '/event');
        const ofDryRun = refusalOf(await dryRun(tenant, text, {}), '');
        if (ofPublish === ofDryRun) continue;
        differences.push(`${tenant} ${text.slice(0, 300)}: ${ofPublish}, dry run ${ofDryRun}`);
      }
    }
    for (const { id, text } of published) {
      const routed = await routedTo(id);
      const { body } = await call('GET', `${TENANT}/events/${id}/explanation?limit=250`);
      const explained = new Map(
        body.data.map((each: { endpoint_id: string; matched: boolean }) => [
          each.endpoint_id,
          each.matched,
        ]),
      );
      for (const [index, selection] of SELECTIONS.entries()) {
        const endpoint = endpoints[index] as string;
        const dry = (await dryRun(TENANT, text, selection)).body.matched;
        const verdicts = [routed.has(endpoint), explained.get(endpoint), dry];
        if (new Set(verdicts).size === 1) continue;
        const what = `${text.slice(0, 300)} ${JSON.stringify(selection)}`;
        differences.push(`${what}: routed, explained, dry run ${verdicts.join()}`);
      }
    }
    assert.deepEqual(differences, []);
    assert.ok(published.length > 0);
    assert.deepEqual(
      REFUSALS.filter((code) => !codes.has(code)),
      [],
    );
  },
);
