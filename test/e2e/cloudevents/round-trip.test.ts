/**
 * CloudEvents from the SDKs of JavaScript and Python through the whole system: an SDK reads the
 * same event from a webhook as from the producer's request, in either mode.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import * as fc from 'fast-check';
import { cloudEventId } from '#domain/event/event-id.ts';
import { TEST_KEY, type System, startSystem } from '#testkit/system.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { WebhookReceiver } from '#testkit/webhook-receiver.ts';
import { jsSdk } from './js-sdk.ts';
import { pythonSdk } from './python-sdk.ts';
import type { Message, Mode, ParsedEvent, SampleEvent, Sdk } from './sdk.ts';

const MODES: readonly Mode[] = ['structured', 'binary'];
const EVENTS = 10;
const START_MS_MAX = 400_000;
const TEST_MS_MAX = 180_000;

/** Text that CloudEvents allow as an attribute, with whole characters. */
const attributeText = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 12 })
  // oxlint-disable-next-line no-control-regex -- control characters are what it excludes
  .map((text) => text.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, '-'))
  .filter((text) => text.isWellFormed());
/** The Python SDK requires a letter or digit; the specification does not. */
const plainText = attributeText.map((text) => `a${text}z`);

/** A URI reference, as the JavaScript SDK requires. */
const sourceText = plainText.map((text) => `/${encodeURIComponent(text)}`);

const extensions = fc.dictionary(
  fc.stringMatching(/^x[a-z0-9]{1,19}$/),
  fc.oneof(plainText, fc.boolean(), fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })),
  { maxKeys: 3 },
);

const jsonData = fc.dictionary(fc.string({ maxLength: 5 }), fc.jsonValue({ maxDepth: 2 }), {
  noNullPrototype: true,
});
const typedData = fc.oneof(
  fc.constant({ attributes: {} }),
  jsonData.map((json) => ({
    attributes: { datacontenttype: 'application/json' },
    data: { json },
  })),
  fc
    .tuple(fc.constantFrom('text/plain', 'application/xml', 'TEXT/Csv; header=present'), plainText)
    .map(([datacontenttype, text]) => ({ attributes: { datacontenttype }, data: { text } })),
  fc.uint8Array({ maxLength: 20 }).map((bytes) => ({
    attributes: { datacontenttype: 'image/png' },
    // Never UTF-8: the Python SDK would read it as text.
    data: { base64: Buffer.from([0xff, ...bytes]).toString('base64') },
  })),
);

const sampleEvent: fc.Arbitrary<SampleEvent> = fc
  .record({ id: plainText, source: sourceText, type: plainText, extensions, typed: typedData })
  .map(({ id, source, type, extensions: ext, typed }) => {
    const time = '2026-01-31T12:00:00.123000+00:00';
    const attributes = { specversion: '1.0', id, source, type, time, ...ext, ...typed.attributes };
    return 'data' in typed ? { attributes, data: typed.data } : { attributes };
  });

let system: System;
let receiver: WebhookReceiver;
let python: Awaited<ReturnType<typeof pythonSdk>>;

before(
  async () => {
    receiver = await WebhookReceiver.start();
    [python, system] = await Promise.all([
      pythonSdk(),
      startSystem([['ingress', 'router', 'delivery', 'control']]),
    ]);
    await system.api('PUT', '/v1/tenants/acme', {});
    for (const mode of MODES) {
      const endpoint = { url: receiver.url(`/${mode}`), format: `cloudevents-${mode}` };
      const made = await system.api('POST', '/v1/tenants/acme/endpoints', endpoint);
      assert.equal(made.status, 201, JSON.stringify(made.body));
    }
  },
  { timeout: START_MS_MAX },
);
after(async () => {
  await system?.stop();
  await receiver?.close();
  await python?.remove();
});

const sdks: [string, () => Sdk][] = [
  ['JavaScript', () => jsSdk],
  ['Python', () => python],
];
for (const [name, sdk] of sdks) {
  for (const mode of MODES) {
    const title = `the ${name} SDK reads the event that it wrote, ${mode}, from webhooks in both modes`;
    test(title, { timeout: TEST_MS_MAX }, () => roundTrip(sdk(), mode));
  }
}

async function roundTrip(sdk: Sdk, mode: Mode): Promise<void> {
  const events = fc.sample(sampleEvent, EVENTS).map((event, index) => withId(event, index));
  const sent = await sdk.write(events, mode);
  const ids: string[] = [];
  for (const message of sent) ids.push(await publish(message));
  const expectedIds = events.map(({ attributes: { source, id } }) =>
    cloudEventId(String(source), String(id)),
  );
  assert.deepEqual(ids, expectedIds);

  const written = await sdk.read(sent);
  for (const target of MODES) {
    const received = await sdk.read(await delivered(ids, target));
    for (const [index, event] of received.entries()) {
      const expected = written[index] as ParsedEvent;
      const asSent = target === 'binary' && mode === 'structured' ? asBinary(expected) : expected;
      assert.deepEqual(normal(event), normal(asSent), JSON.stringify(events[index]));
    }
  }

  function withId(event: SampleEvent, index: number): SampleEvent {
    const id = `${event.attributes['id']} ${sdk.name}.${mode}.${index}`;
    return { ...event, attributes: { ...event.attributes, id } };
  }
}

async function publish({ headers, body }: Message): Promise<string> {
  const answer = await fetch(`${system.url('ingress')}/v1/tenants/acme/events`, {
    method: 'POST',
    headers: { ...headers, authorization: `Bearer ${TEST_KEY}` },
    body: Buffer.from(body, 'base64'),
  });
  const text = await answer.text();
  assert.equal(answer.status, 202, `${JSON.stringify(headers)}: ${text}`);
  return (JSON.parse(text) as { id: string }).id;
}

/** The webhooks of events at the endpoint of a mode, in the order of their ids. */
async function delivered(ids: string[], mode: Mode): Promise<Message[]> {
  const find = (id: string) =>
    receiver.at(`/${mode}`).find(({ headers }) => headers['webhook-id'] === id);
  await waitUntil(() => ids.every((id) => find(id) !== undefined), {
    what: `the ${mode} webhooks`,
    deadlineMs: 60_000,
  });
  return ids.map((id) => {
    const request = find(id);
    assert.ok(request);
    const kept = Object.entries(request.headers).filter(
      ([name]) => name.startsWith('ce-') || name === 'content-type',
    );
    return { headers: Object.fromEntries(kept), body: request.body.toString('base64') };
  });
}

/** Headers have no types: every extension is a string. */
function asBinary({ attributes, data }: ParsedEvent): ParsedEvent {
  const strings = Object.entries(attributes).map(([name, value]) => [name, String(value)]);
  return { attributes: Object.fromEntries(strings) as Record<string, string>, data };
}

/** An SDK may write one instant in several ways. */
function normal({ attributes, data }: ParsedEvent): ParsedEvent {
  const time = new Date(String(attributes['time'])).toISOString();
  return { attributes: { ...attributes, time }, data: data ?? null };
}
