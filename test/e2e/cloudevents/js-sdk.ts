import { CloudEvent, type CloudEventV1, HTTP } from 'cloudevents';
import type { Message, Mode, ParsedEvent, SampleEvent, Sdk } from './sdk.ts';

/** The `cloudevents` package of npm. */
export const jsSdk: Sdk = {
  name: 'JavaScript',
  write: async (events, mode) => events.map((event) => written(event, mode)),
  read: async (messages) => messages.map(read),
};

function written({ attributes, data }: SampleEvent, mode: Mode): Message {
  const event = new CloudEvent({ ...attributes, ...dataOf(data) });
  const { headers, body } = HTTP[mode](event);
  const sent = Object.entries(headers).map(([name, value]) => [
    name,
    // The package leaves the percent-encoding of the HTTP binding to its caller.
    name.startsWith('ce-') ? encodeURIComponent(String(value)) : String(value),
  ]);
  const bytes = Buffer.from((body ?? '') as string);
  return { headers: Object.fromEntries(sent), body: bytes.toString('base64') };
}

function dataOf(data: SampleEvent['data']): { data?: unknown } {
  if (data === undefined) return {};
  if ('base64' in data) return { data: new Uint8Array(Buffer.from(data.base64, 'base64')) };
  return { data: 'json' in data ? data.json : data.text };
}

function read({ headers, body }: Message): ParsedEvent {
  const bytes = Buffer.from(body, 'base64');
  const isText = /json|text|xml/i.test(headers['content-type'] ?? '');
  const time = headers['ce-time'];
  const event = HTTP.toEvent({
    // The package takes a percent-encoded time for a missing one and replaces it.
    headers: time === undefined ? headers : { ...headers, 'ce-time': decodeURIComponent(time) },
    body: bytes.length === 0 ? undefined : isText ? bytes.toString() : bytes,
  }) as CloudEventV1<unknown>;
  const {
    data,
    data_base64: base64,
    ...rest
  } = JSON.parse(JSON.stringify(event)) as ParsedEvent & {
    data_base64?: string;
  } & Record<string, unknown>;
  const isBinary = Object.keys(headers).some((name) => name.startsWith('ce-'));
  const attributes = Object.entries(rest).map(([name, value]) => [
    name,
    // Nor does it decode it.
    isBinary && typeof value === 'string' && name !== 'datacontenttype'
      ? decodeURIComponent(value)
      : value,
  ]);
  return {
    attributes: Object.fromEntries(attributes) as Record<string, unknown>,
    data: base64 === undefined ? data : { base64 },
  };
}
