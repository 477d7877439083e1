/** Schemas of lists of attempts. */
import { type Static, Type } from 'typebox';
import { named } from '#wire/openapi/describe.ts';
import { attempt, attemptFailure } from '../delivery.ts';
import { eventId, eventTypeName, resourceId, strict, tenantId } from '../fields.ts';
import { filterBy, orderField, pageFields, timeRangeFields } from '../page.ts';
import {
  integerRangeFields,
  responseStatusFields,
  searchPageOf,
  tenantField,
} from './search-fields.ts';

const attemptId = resourceId('an attempt', 'att');
export const attemptStatus = named('AttemptStatus', Type.Enum(['succeeded', 'failed']), {
  description: '`succeeded`: the receiver answered 2xx. `failed`: `failure` says why.',
  examples: ['failed'],
});

const filters = {
  ...timeRangeFields('started_at'),
  delivery_id: filterBy(resourceId('a delivery', 'dlv')),
  event_id: filterBy(eventId),
  endpoint_id: filterBy(resourceId('an endpoint', 'ep')),
  event_type: filterBy(eventTypeName),
  status: filterBy(attemptStatus),
  failure: filterBy(attemptFailure),
  ...responseStatusFields,
  ...integerRangeFields('number'),
  ...integerRangeFields('duration_ms'),
};

const include = {
  include: Type.Optional(
    named(
      'AttemptInclude',
      Type.Enum(['response'], {
        description: '`response`: adds the headers and the first 4 KiB of each response.',
        examples: ['response'],
      }),
    ),
  ),
};

export const attemptCountQuery = Type.Object(filters, strict);
export const attemptListQuery = Type.Object(
  { ...pageFields, ...orderField('newest'), ...filters, ...include },
  strict,
);
export type AttemptListQuery = Static<typeof attemptListQuery>;
export type AttemptFilterQuery = Static<typeof attemptCountQuery>;

export const allAttemptCountQuery = Type.Object({ ...filters, ...tenantField }, strict);
export const allAttemptListQuery = Type.Object(
  { ...pageFields, ...orderField('newest'), ...filters, ...tenantField, ...include },
  strict,
);

export const attemptParams = Type.Object({ tenant: tenantId, attempt: attemptId }, strict);

const { response_headers, response_body, response_body_encoding, ...facts } = attempt.properties;
const links = {
  tenant_id: tenantId,
  delivery_id: resourceId('the delivery', 'dlv'),
  event_id: eventId,
  event_type: eventTypeName,
  endpoint_id: resourceId('the endpoint', 'ep'),
  status: attemptStatus,
};

export const attemptSummary = named(
  'AttemptSummary',
  Type.Object({
    ...facts,
    ...links,
    response_headers: Type.Optional(response_headers),
    response_body: Type.Optional(response_body),
    response_body_encoding: Type.Optional(response_body_encoding),
  }),
  { description: 'An attempt, as lists show it. The response is there with `include=response`.' },
);
export type AttemptSummary = Static<typeof attemptSummary>;

export const linkedAttempt = named(
  'LinkedAttempt',
  Type.Object({ ...attempt.properties, ...links }),
  { description: 'An attempt, its response and its delivery.' },
);

export const attemptSearchPage = searchPageOf('AttemptSearchPage', attemptSummary);
