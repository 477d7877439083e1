/**
 * The dry run against ingress and router: generated samples are published through the whole system,
 * and what became of each is what the dry run and the explanation say of it.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import * as fc from 'fast-check';
import { type System, startSystem } from '#testkit/system.ts';
import { waitUntil } from '#testkit/wait-until.ts';

const SAMPLES = 60;
const START_MS_MAX = 400_000;
const TEST_MS_MAX = 240_000;
const TENANT = '/v1/tenants/acme';

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

/** JSON text, with the spellings that a value loses when it is parsed and written again. */
const dataText = fc.oneof(
  fc.constantFrom(
    'null',
    '"text"',
    '"100"',
    '100',
    '1.0e2',
    '-0',
    '12345678901234567890',
    '1e400',
    '{"n":100}',
    '{"n":100.000}',
    '{"n":"100"}',
    '{"n":null}',
    '{"n":-1e400}',
    '{"n":12345678901234567890.5}',
    '{"n":1,"n":100}',
    '{"__proto__":{"n":100}}',
    '{"constructor":{"prototype":1},"n":100}',
    '{"a":{"b":[1,{"c":2}]}}',
    '{"list":[{"n":0},{"n":1}]}',
    '{"10":1,"n":2,"2":3}',
    '"\\ud800"',
    `{"rest":"${'x'.repeat(20_000)}","n":100}`,
    `{"rest":"${'x'.repeat(300_000)}","n":100}`,
    `${'['.repeat(64)}${']'.repeat(64)}`,
  ),
  fc.jsonValue({ maxDepth: 3 }).map((value) => JSON.stringify(value)),
);

type Members = [name: string, text: string][];

const oneOf = (...texts: string[]) => fc.constantFrom(...texts);

/** Absent in half of the events. */
function maybe(name: string, text: fc.Arbitrary<string>): fc.Arbitrary<Members> {
  return fc.option(text, { nil: undefined, freq: 2 }).map((given) => {
    return given === undefined ? [] : [[name, given]];
  });
}

const always = (name: string, text: fc.Arbitrary<string>) =>
  text.map((given): Members => [[name, given]]);

const shared = [
  always('type', oneOf('"order.created"', '"order\\u002ecreated"', '"invoice.paid"')),
  maybe(
    'time',
    oneOf(
      '"2026-01-31T12:00:00Z"',
      '"2026-01-31t12:00:00z"',
      '"2026-01-31T13:00:00.000+01:00"',
      '"2026-06-30T23:59:60Z"',
    ),
  ),
  maybe('subject', oneOf('"order/42"', '"\\u006frder/42"')),
  maybe('dataschema', oneOf('"https://example.com/s"')),
];

const plainEvent = fc.tuple(
  ...shared,
  maybe('id', oneOf('"s-#"')),
  maybe('source', oneOf('"/shop"', '"/tenants/acme"')),
  maybe('priority', oneOf('"high"', '"normal"')),
  maybe('data', dataText),
);

const cloudEvent = fc.tuple(
  ...shared,
  always('specversion', oneOf('"1.0"', '"1\\u002e0"')),
  always('id', oneOf('"s-#"', '"s.# é"')),
  always('source', oneOf('"/shop"', '"/tenants/acme"')),
  maybe('level', oneOf('2', '2.0', '20e-1', '"2"', 'true', 'null')),
  maybe('posthornpriority', oneOf('"high"', '"normal"')),
  fc.oneof(
    fc
      .tuple(
        maybe(
          'datacontenttype',
          oneOf('"application/json"', '"text/plain"', '"image/png"', 'null'),
        ),
        maybe('data', dataText),
      )
      .map((parts) => parts.flat()),
    maybe('data_base64', oneOf('"AP8="', '"e30="', 'null')),
  ),
);

/** Each replaces or adds members; which of them are refused depends on the form of the event. */
const changes: Members[] = [
  [['type', '""']],
  [['time', '"2026-02-30T12:00:00Z"']],
  [['time', '1769860800']],
  [['time', 'null']],
  [['subject', '""']],
  [['subject', 'null']],
  [['dataschema', 'null']],
  [['priority', '"low"']],
  [['posthornpriority', '"other"']],
  [['level', '2.5']],
  [['level', '9007199254740993']],
  [['level', '{}']],
  [['Region', '"eu"']],
  [['Region', 'null']],
  [['specversion', '"0.3"']],
  [['specversion', 'null']],
  [['source', 'null']],
  [['data_base64', '"?"']],
  [
    ['data_base64', '"e30="'],
    ['data', '1'],
  ],
  [
    ['subject', '"a"'],
    ['subject', '"a"'],
  ],
  [['__proto__', '1']],
  [['datacontenttype', '"text"']],
  [['datacontenttype', '"text/plain; charset=utf-16"']],
  [['data', `${'['.repeat(65)}${']'.repeat(65)}`]],
];

const sample = fc
  .tuple(
    fc.oneof(plainEvent, cloudEvent).map((parts) => parts.flat()),
    fc.oneof(
      { weight: 3, arbitrary: fc.constant<Members>([]) },
      { weight: 1, arbitrary: fc.constantFrom(...changes) },
    ),
  )
  .map(([members, change]) => {
    const changed = new Set(change.map(([name]) => name));
    return [...members.filter(([name]) => !changed.has(name)), ...change];
  });

let system: System;

before(
  async () => {
    system = await startSystem([['ingress', 'router', 'control']]);
    await call('PUT', TENANT, '{}');
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
  await waitUntil(async () => (await call('GET', path)).body.matched_endpoints !== null || null, {
    what: `${id} is routed`,
    deadlineMs: 60_000,
  });
  const { body } = await call('GET', `${path}/deliveries?limit=250`);
  return new Set(body.data.map((each: { endpoint_id: string }) => each.endpoint_id));
}

const pointersOf = ({ body }: Answer, below: string): string[] =>
  (body.errors ?? []).map(({ pointer }: { pointer: string }) => below + pointer);

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
    const dryRun = (event: string, selection: object) => {
      const rest = JSON.stringify(selection).slice(1);
      return call(
        'POST',
        `${TENANT}/subscriptions/dry-run`,
        `{"event":${event}${rest === '}' ? '' : ','}${rest}`,
      );
    };
    const published: { id: string; text: string }[] = [];
    const differences: string[] = [];
    let refused = 0;
    for (const [index, members] of fc.sample(sample, SAMPLES).entries()) {
      const text = textOf(members, index);
      const answer = await call('POST', `${TENANT}/events`, text);
      if (answer.status === 202) {
        published.push({ id: answer.body.id, text });
        continue;
      }
      refused++;
      const dry = await dryRun(text, {});
      const told = [answer.status, answer.body.code, ...pointersOf(answer, '/event')];
      const toldDry = [dry.status, dry.body.code, ...pointersOf(dry, '')];
      if (told.join() === toldDry.join()) continue;
      differences.push(`${text.slice(0, 300)}: refused ${told.join()}, dry run ${toldDry.join()}`);
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
        const dry = (await dryRun(text, selection)).body.matched;
        const verdicts = [routed.has(endpoint), explained.get(endpoint), dry];
        if (new Set(verdicts).size === 1) continue;
        const what = `${text.slice(0, 300)} ${JSON.stringify(selection)}`;
        differences.push(`${what}: routed, explained, dry run ${verdicts.join()}`);
      }
    }
    assert.deepEqual(differences, []);
    assert.ok(published.length > 0 && refused > 0, `${published.length} and ${refused}`);
  },
);
