/** Every parser of caller input, by the form of its input. */
import { EgressGuard } from '#domain/endpoint/egress.ts';
import { validateFilter } from '#domain/filter/validate-filter.ts';
import { compileSchema } from '#domain/json-schema/compile-schema.ts';
import { validateSchema } from '#domain/json-schema/validate-schema.ts';
import { findNameFault, hasPlainNames } from '#domain/json/check-names.ts';
import { limits } from '#domain/limits.ts';
import { scanJson } from '#domain/json/scan-json.ts';
import { checkEndpointUrl } from '#src/control/resources/endpoint-url.ts';
import { checkClientCertificate } from '#src/control/credentials/check-client-certificate.ts';
import { readBinaryEvent } from '#src/ingress/cloudevents/binary.ts';
import { formulaDigest } from '#src/ingress/idempotency/formula-digest.ts';
import { readBatchBody, readEventBody, readStructuredBody } from '#src/ingress/read/read-body.ts';
import { requestJsonBounds } from '#infra/http/server/body/parse-json-bodies.ts';
import { boundList, decodeCursor } from '#wire/pagination.ts';

export interface Parser {
  /** A body around the hostile JSON; absent: the JSON alone. */
  body?: (json: string) => string;
  /** Throws or returns; both are an answer. */
  read: (body: Buffer) => unknown;
}

const CLOUD_EVENT = '"specversion":"1.0","id":"1","source":"/s","type":"a.b"';
const BINARY = { 'ce-specversion': '1.0', 'ce-id': '1', 'ce-source': '/s', 'ce-type': 'a.b' };
const schema = compileSchema({ type: 'object', properties: { a: { type: 'integer' } } });

/** Of JSON in requests. */
export const jsonParsers: Readonly<Record<string, Parser>> = {
  'plain event': { body: (json) => `{"type":"a.b","data":${json}}`, read: (b) => readEventBody(b) },
  'event that is no object': { read: (b) => readEventBody(b) },
  'id of an event': {
    body: (json) => `{"type":"a.b","id":${json}}`,
    read: (b) => readEventBody(b),
  },
  batch: {
    body: (json) => `{"events":[{"type":"a.b","data":${json}}]}`,
    read: (b) => readBatchBody(b),
  },
  'batch without events': { body: (json) => `{"events":${json}}`, read: (b) => readBatchBody(b) },
  'structured CloudEvent': {
    body: (json) => `{${CLOUD_EVENT},"data":${json}}`,
    read: (b) => readStructuredBody(b),
  },
  'text in a CloudEvent': {
    body: (json) => `{${CLOUD_EVENT},"datacontenttype":"text/plain","data":${json}}`,
    read: (b) => readStructuredBody(b),
  },
  'base64 in a CloudEvent': {
    body: (json) => `{${CLOUD_EVENT},"data_base64":${json}}`,
    read: (b) => readStructuredBody(b),
  },
  'binary CloudEvent': {
    read: (b) => readBinaryEvent({ ...BINARY, 'content-type': 'application/json' }, b),
  },
  'formula of de-duplication': {
    read: (b) => {
      scanJson(b);
      return formulaDigest(['/data/a', '/data/0'], { type: 'a.b', kind: 'json', data: b });
    },
  },
  'request to the API': {
    read: (b) => {
      const { members } = scanJson(b, undefined, requestJsonBounds);
      const value: unknown = JSON.parse(b.toString());
      return hasPlainNames(value, members) ? value : findNameFault(b);
    },
  },
  'schema of a type': { read: (b) => validateSchema(parseRequest(b)) },
  'filter of a subscription': { read: (b) => validateFilter(parseRequest(b)) },
  // On the event loop: a thread checks larger data.
  'data of a type with a schema': {
    read: (b) => {
      scanJson(b);
      if (b.length > limits.schemaAtOnceBytesMax) return undefined;
      return schema.atOnce(JSON.parse(b.toString()));
    },
  },
};

function parseRequest(bytes: Buffer): unknown {
  const { members } = scanJson(bytes, undefined, requestJsonBounds);
  const value: unknown = JSON.parse(bytes.toString());
  return hasPlainNames(value, members) ? value : findNameFault(bytes);
}

const LIST = boundList({ name: 'a', fields: ['number', 'string'] }, '', {});
const guard = new EgressGuard('');

/** Of texts that are not JSON. */
export const textParsers: Readonly<Record<string, Parser>> = {
  cursor: { read: (b) => decodeCursor(LIST, b.toString('base64url')) },
  'certificate in PEM': {
    read: (b) => checkClientCertificate({ cert: b.toString(), key: 'x' }, new Date(0)),
  },
  URL: { read: (b) => checkEndpointUrl(`https://example.com/${b.toString()}`, guard) },
  'host of a URL': { read: (b) => checkEndpointUrl(`https://${b.toString()}/`, guard) },
  'header of a CloudEvent': {
    read: (b) => readBinaryEvent({ ...BINARY, 'ce-subject': b.toString() }, Buffer.from('1')),
  },
  'time of an event': { read: (b) => readBinaryEvent({ ...BINARY, 'ce-time': b.toString() }, b) },
};

export const hostileTexts: Readonly<Record<string, (bytes: number) => string>> = {
  letters: (bytes) => 'a'.repeat(bytes),
  dashes: (bytes) => '-'.repeat(bytes),
  'begins of PEM': (bytes) => '-----BEGIN CERTIFICATE-----\n'.repeat(bytes / 28),
  'blocks of PEM': (bytes) =>
    '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'.repeat(bytes / 58),
  percents: (bytes) => '%'.repeat(bytes),
  'percent-encoded': (bytes) => '%e4%b8%ad'.repeat(bytes / 9),
  dots: (bytes) => 'a.'.repeat(bytes / 2),
  digits: (bytes) => '1'.repeat(bytes),
  'times with endless fractions': (bytes) => `2026-01-31T12:00:00.${'0'.repeat(bytes)}Z`,
  'spaces and quotes': (bytes) => '" '.repeat(bytes / 2),
};
