import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { bodyFormats } from '#domain/endpoint/endpoint.ts';
import { type EventHead, decodeEventFrame, encodeEventFrame } from '#wire/frames/event-frame.ts';
import { formatWebhooks } from '#wire/openapi/webhooks.ts';
import { type OutboundEvent, renderWebhook } from '#wire/webhook/webhook-request.ts';

const head: EventHead = {
  id: 'evt_1',
  type: 'order.created',
  source: '/shop',
  time: '2026-01-31T12:00:00.123Z',
  kind: 'json',
  acceptedMs: 1,
  correlationId: 'req_1',
};
const link = { url: 'https://hooks.example.com/v1/payloads/acme/pay_1', expiresAtMs: 1 };
const payload = { key: 'acme/pay_1', size: 2, sha256: 'ab' };

const events: Record<string, OutboundEvent> = {
  json: frame({ subject: 'order/42', ext: { region: 'eu' } }, '{"amount":12.5}'),
  text: frame({ kind: 'text', contentType: 'text/plain' }, 'hello'),
  bytes: frame({ kind: 'binary', contentType: 'image/png' }, Buffer.from([0, 255])),
  no: frame({ noData: true }, 'null'),
  link: { ...frame({ payload }, ''), link },
};

function frame(changes: Partial<EventHead>, data: string | Buffer): OutboundEvent {
  return decodeEventFrame(encodeEventFrame({ ...head, ...changes }, data));
}

const ajv = formats.default(new Ajv2020({ strict: false })).addFormat('binary', true);

for (const format of bodyFormats) {
  for (const [kind, event] of Object.entries(events)) {
    test(`the reference describes the ${format} webhook of ${kind} data as it is sent`, () => {
      const { body, contentType, headers } = renderWebhook(format, event);
      const { bodies, headers: described } = formatWebhooks[format];
      const mediaType = (contentType ?? '').split(';', 1)[0] as string;
      const schema = bodies[mediaType] ?? bodies['*/*'];
      assert.notEqual(schema, undefined, mediaType);
      const text = body.toString();
      const value: unknown = schema === bodies['*/*'] ? text : JSON.parse(text);
      assert.ok(ajv.validate(schema as object, value), `${text}: ${ajv.errorsText()}`);
      for (const name of Object.keys(headers)) {
        const isExtension = name.startsWith('ce-') && !/^ce-(id|source|type|time)$/.test(name);
        assert.ok(isExtension || name in described.properties, name);
      }
    });
  }
}
