/**
 * Schemas of the webhooks that endpoints receive, in each format (DL-4). `webhook-request.ts`
 * writes the webhooks.
 */
import { type TSchema, Type } from 'typebox';
import type { BodyFormat } from '#domain/endpoint/endpoint.ts';
import {
  eventDataSchema,
  eventSource,
  eventSubject,
  eventTypeName,
  timestamp,
} from '#wire/api/fields.ts';
import { named } from './describe.ts';
import { type OperationalEventType, operationalEventData } from './operational-events.ts';

const text = (description: string, example: string) =>
  Type.String({ description, examples: [example] });

const data = Type.Unknown({
  description: 'The data as it was published; absent if the event has none.',
  examples: [{ amount: 12.5 }],
});
const dataBase64 = text('Data that is neither JSON nor text, in base64.', '3q2+7w==');

/** Fields that replace `data` if it is delivered as a link. */
const linkFields = {
  data_url: text(
    'URL to read `data` from. It needs no API key.',
    'https://hooks.example.com/v1/payloads/acme/pay_01k3v9h2c8m4n6p8q0r2s4t6v8?expires=1795219200&signature=x',
  ),
  expires_at: timestamp('When the link expires'),
  size: Type.Integer({ description: 'Size of `data` in bytes.', examples: [1048576] }),
  sha256: text(
    'SHA-256 digest of `data`, in hex.',
    '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
  ),
  content_type: text('Media type of `data`.', 'application/json'),
};

const type = eventTypeName;
/** Differs from `webhook-id` if that is derived from this id and the source. */
const cloudEventId = text('Id that the producer gave; unique within `source`.', 'order-42-created');
const envelopeTime = timestamp('When the event happened');

const standardWebhook = named(
  'StandardWebhook',
  Type.Object({
    type,
    timestamp: envelopeTime,
    data: Type.Optional(data),
    data_base64: Type.Optional(dataBase64),
  }),
  {
    description: 'The envelope of Standard Webhooks.',
    examples: [
      { type: 'order.created', timestamp: '2026-01-31T12:00:00.000Z', data: { amount: 12.5 } },
    ],
  },
);

const linkedWebhook = named(
  'LinkedWebhook',
  Type.Object({ type, timestamp: envelopeTime, ...linkFields }),
  { description: 'The envelope for a large event: a link replaces `data`.' },
);

const linkedData = named('LinkedData', Type.Object(linkFields), {
  description: 'A link to the `data` of a large event.',
});

const deliveredCloudEvent = named(
  'DeliveredCloudEvent',
  Type.Object(
    {
      specversion: Type.Literal('1.0'),
      id: cloudEventId,
      source: eventSource,
      type,
      time: timestamp('When the event happened'),
      subject: Type.Optional(eventSubject),
      dataschema: Type.Optional(eventDataSchema),
      datacontenttype: Type.Optional(linkFields.content_type),
      data: Type.Optional(data),
      data_base64: Type.Optional(dataBase64),
      dataref: Type.Optional(linkFields.data_url),
    },
    { additionalProperties: true },
  ),
  {
    description: 'A CloudEvent. Other members are its extension attributes.',
    examples: [
      {
        specversion: '1.0',
        id: 'order-42-created',
        source: '/shop/orders',
        type: 'order.created',
        time: '2026-01-31T12:00:00.000Z',
        datacontenttype: 'application/json',
        data: { amount: 12.5 },
      },
    ],
  },
);

const rawData = Type.String({
  format: 'binary',
  description: '`data` alone, in its own media type.',
  examples: ['{"amount":12.5}'],
});

const signatureHeaders = {
  'webhook-id': text(
    'Id of the event; every attempt has the same. Use it to drop duplicates.',
    'evt_01k3v9h2c8m4n6p8q0r2s4t6v8',
  ),
  'webhook-timestamp': Type.Integer({
    description: 'Time of the attempt, in seconds since 1970.',
    examples: [1795219200],
  }),
  'webhook-signature': text(
    'Signatures of `<webhook-id>.<webhook-timestamp>.<body>`, separated by spaces.',
    'v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=',
  ),
  traceparent: Type.Optional(
    text(
      'W3C Trace Context; present if `propagate_trace` is true and the event belongs to a trace.',
      '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    ),
  ),
  'posthorn-payload': Type.Optional(
    Type.Literal('url', { description: '`link` if `data` is behind a link.' }),
  ),
};

const attributeHeaders = {
  'ce-specversion': Type.Literal('1.0'),
  'ce-id': cloudEventId,
  'ce-source': eventSource,
  'ce-type': type,
  'ce-time': envelopeTime,
  'ce-subject': Type.Optional(eventSubject),
  'ce-dataschema': Type.Optional(eventDataSchema),
};

/** One webhook as the API reference shows it. */
export interface WebhookSchema {
  operationId: string;
  summary: string;
  description: string;
  headers: ReturnType<typeof Type.Object>;
  bodies: Readonly<Record<string, TSchema>>;
}

/** The webhooks, by format. */
export const formatWebhooks: Readonly<Record<BodyFormat, WebhookSchema>> = {
  standard: {
    operationId: 'receiveStandardWebhook',
    summary: 'An event as a Standard Webhook',
    description: 'For endpoints with the format `standard`, the default.',
    headers: Type.Object(signatureHeaders),
    bodies: { 'application/json': Type.Union([standardWebhook, linkedWebhook]) },
  },
  'cloudevents-structured': {
    operationId: 'receiveStructuredCloudEvent',
    summary: 'An event as a CloudEvent in structured mode',
    description: 'For endpoints with the format `cloudevents-structured`.',
    headers: Type.Object(signatureHeaders),
    bodies: { 'application/cloudevents+json': deliveredCloudEvent },
  },
  'cloudevents-binary': {
    operationId: 'receiveBinaryCloudEvent',
    summary: 'An event as a CloudEvent in binary mode',
    description:
      'For endpoints with the format `cloudevents-binary`. Extension attributes are headers too, with the prefix `ce-`. The body is empty if `ce-dataref` is present or the event has no data.',
    headers: Type.Object({ ...signatureHeaders, ...attributeHeaders }),
    bodies: { '*/*': rawData },
  },
  data: {
    operationId: 'receiveData',
    summary: 'The data of an event alone',
    description:
      'For endpoints with the format `data`. A large event is sent as a link in JSON, an event without data as an empty body.',
    headers: Type.Object(signatureHeaders),
    bodies: { 'application/json': Type.Union([data, linkedData]), '*/*': rawData },
  },
};

/** Operational events, in the default format. */
export const operationalWebhooks = Object.fromEntries(
  Object.entries(operationalEventData).map(([name, schema]) => {
    const title = name.split('.').slice(1).map(capitalized).join('');
    const body = named(`${title}Webhook`, envelopeOf(name, schema), {
      description: `An operational event \`${name}\` as a Standard Webhook.`,
    });
    const webhook: WebhookSchema = {
      operationId: `receive${title}`,
      summary: `Operational event ${name}`,
      description: `${(schema as { description?: string }).description} Subscribe to it by its name or with \`posthorn.*\`. Other formats carry the same \`data\`.`,
      headers: Type.Object(signatureHeaders),
      bodies: { 'application/json': body },
    };
    return [name as OperationalEventType, webhook];
  }),
);

function envelopeOf(name: string, schema: TSchema): TSchema {
  return Type.Object({ type: Type.Literal(name), timestamp: envelopeTime, data: schema });
}

function capitalized(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}
