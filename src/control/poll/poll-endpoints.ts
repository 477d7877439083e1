/** Endpoints that are polled: their fields in MongoDB and in the API (DL-19). */
import { pollDefaults } from '#domain/endpoint/endpoint-policy.ts';
import { PosthornError } from '#domain/errors.ts';
import type { EndpointDocument } from '#infra/mongo/configuration.ts';
import type {
  EndpointChange,
  EndpointResource,
  NewPollEndpoint,
} from '#wire/api/endpoint/endpoint.ts';
import type { PollPolicyFields, PollSettings } from '#wire/api/endpoint/poll-endpoint.ts';
import { toPauseResource } from '../endpoint-status/pauses.ts';

const DEFAULTS: PollPolicyFields = {
  lease_seconds: pollDefaults.leaseSeconds,
  leases_max: pollDefaults.leasesMax,
  max_age_seconds: pollDefaults.maxAgeSeconds,
};
/** Fields of a change that an endpoint of this kind has. */
const CHANGEABLE: ReadonlySet<string> = new Set(['description', 'status', 'sequenced', 'poll']);

/** The document of a new endpoint. */
export function newPollDocument(
  id: string,
  tenant: string,
  body: NewPollEndpoint,
  now: Date,
): EndpointDocument {
  return {
    _id: id,
    tenant,
    url: '',
    state: 'active',
    state_reason: null,
    format: 'standard',
    headers: {},
    description: body.description ?? null,
    sequenced: body.sequenced ?? false,
    poll: pollFields(body.poll, undefined),
    secrets: [],
    revision: 1,
    created_at: now,
    updated_at: now,
  };
}

/** The stored form of the settings that a request names; the others keep their value. */
export function pollFields(
  settings: PollSettings | undefined,
  known: PollPolicyFields | undefined,
): PollPolicyFields {
  return { ...DEFAULTS, ...known, ...settings };
}

/** @throws PosthornError POSTHORN_REQUEST_INVALID for a field that the endpoint's kind lacks */
export function checkChangeOfKind(body: EndpointChange, known: EndpointDocument): void {
  const isPolled = known.poll !== undefined;
  const wrong = Object.keys(body).filter((name) =>
    isPolled ? !CHANGEABLE.has(name) : name === 'poll',
  );
  if (wrong.length === 0) return;
  const detail = `is not a field of an endpoint of the kind ${isPolled ? 'poll' : 'webhook'}`;
  const fields = wrong.map((name) => ({ pointer: `/${name}`, detail }));
  throw new PosthornError('POSTHORN_REQUEST_INVALID', { fields });
}

/** @throws PosthornError POSTHORN_ENDPOINT_KIND */
export function checkHasSecrets({ _id, poll }: EndpointDocument): void {
  if (poll === undefined) return;
  const detail = `the endpoint ${_id} is polled and has no signing secret`;
  throw new PosthornError('POSTHORN_ENDPOINT_KIND', { detail });
}

/** The resource of an endpoint that is polled. */
export function toPollResource(
  endpoint: EndpointDocument,
  poll: PollPolicyFields,
): Extract<EndpointResource, { kind: 'poll' }> {
  return {
    id: endpoint._id,
    tenant_id: endpoint.tenant,
    kind: 'poll',
    status: endpoint.state,
    status_reason: endpoint.state_reason,
    pause: toPauseResource(endpoint),
    description: endpoint.description,
    sequenced: endpoint.sequenced ?? false,
    poll,
    revision: endpoint.revision,
    created_at: endpoint.created_at.toISOString(),
    updated_at: endpoint.updated_at.toISOString(),
  };
}
