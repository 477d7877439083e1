/** Endpoints in the API. */
import { type Static, Type } from 'typebox';
import { bodyFormats, endpointStateReasons, endpointStates } from '#domain/endpoint/endpoint.ts';
import { limits } from '#domain/limits.ts';
import { named } from '#wire/openapi/describe.ts';
import { secretAlgorithms } from '../../webhook/signature.ts';
import { endpointCredentialFields, endpointCredentialSettings } from './endpoint-credentials.ts';
import { disableAfterSeconds, endpointHealth } from './endpoint-health.ts';
import { endpointPolicyFields, endpointPolicySettings } from './endpoint-policy.ts';
import {
  eventTypeSelectors,
  filterDocument,
  nullable,
  resourceId,
  revision,
  strict,
  tenantId,
  timestamp,
} from '../fields.ts';
import { pageFields, pageOf } from '../page.ts';

const endpointId = resourceId('an endpoint', 'ep');

export const endpointParams = Type.Object({ tenant: tenantId, endpoint: endpointId }, strict);

const secretText = Type.String({
  maxLength: 128,
  description:
    'Signing secret: `whsec_` and 24 to 64 bytes in base64 (HMAC), or `whsk_` and an ed25519 key.',
  examples: ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'],
});

const fields = {
  url: Type.String({
    minLength: 1,
    maxLength: limits.endpointUrlLengthMax,
    description:
      'Where webhooks are sent. https, unless the operator allowed the network. Kept and shown in its normal form.',
    examples: ['https://example.com/webhooks'],
  }),
  headers: Type.Record(Type.String(), Type.String(), {
    maxProperties: limits.endpointHeadersMax,
    writeOnly: true,
    description:
      'Header fields sent with every webhook. Replaced whole; their values are not shown again.',
    examples: [{ 'x-tenant': 'acme' }],
  }),
  format: named(
    'BodyFormat',
    Type.Enum(bodyFormats, {
      description:
        'How the body looks: the envelope of Standard Webhooks, CloudEvents, or `data` alone.',
    }),
  ),
  description: Type.String({
    maxLength: 500,
    description: 'Shown to people.',
    examples: ['Orders of the shop'],
  }),
  state: named(
    'EndpointState',
    Type.Enum(endpointStates, {
      description:
        'Deliveries to an endpoint that is not active are held until it is active again.',
    }),
  ),
  allowDuplicate: Type.Boolean({
    description: 'Take the URL although another endpoint of the tenant has it.',
    examples: [false],
  }),
};

export const newEndpoint = named(
  'NewEndpoint',
  Type.Object(
    {
      url: fields.url,
      event_types: Type.Optional(
        eventTypeSelectors('Absent: all. Empty: none, subscriptions are made apart.'),
      ),
      filter: Type.Optional(filterDocument),
      secret: Type.Optional(secretText),
      headers: Type.Optional(fields.headers),
      format: Type.Optional(fields.format),
      description: Type.Optional(fields.description),
      ...endpointCredentialSettings,
      ...endpointPolicySettings,
      disable_after_seconds: Type.Optional(nullable(disableAfterSeconds)),
      allow_duplicate_url: Type.Optional(fields.allowDuplicate),
    },
    strict,
  ),
  {
    description: 'An endpoint to create.',
    examples: [
      {
        url: 'https://example.com/webhooks',
        event_types: ['order.*'],
        filter: { 'data.amount': { $gt: 100 } },
        description: 'Orders of the shop',
        credentials: { type: 'bearer', token: 'eyJhbGciOi…' },
        retry: { delays_seconds: [1, 5, 25, 125, 625] },
        rate_limit: { per_second: 10 },
      },
    ],
  },
);
export type NewEndpoint = Static<typeof newEndpoint>;

export const endpointChange = named(
  'EndpointChange',
  Type.Object(
    {
      url: Type.Optional(fields.url),
      headers: Type.Optional(fields.headers),
      format: Type.Optional(fields.format),
      description: Type.Optional(nullable(fields.description)),
      state: Type.Optional(fields.state),
      ...endpointCredentialSettings,
      ...endpointPolicySettings,
      disable_after_seconds: Type.Optional(nullable(disableAfterSeconds)),
      allow_duplicate_url: Type.Optional(fields.allowDuplicate),
    },
    { ...strict, minProperties: 1 },
  ),
  {
    description: 'What to change of an endpoint.',
    examples: [{ description: 'Orders of the shop', timeout_ms: 5000, state: 'active' }],
  },
);
export type EndpointChange = Static<typeof endpointChange>;

const publicKey = nullable(
  Type.String({
    description:
      'What receivers verify by: `whpk_` and the ed25519 public key in base64, as Standard Webhooks has it. Null for HMAC, where both sides share the secret.',
    examples: ['whpk_6R8zVF2LuVXHbN3eGXkpLbpjNBDXuxGAoSTSLn63nsE='],
  }),
);

const signingSecret = named(
  'SigningSecret',
  Type.Object({
    algorithm: nullable(
      named(
        'SigningAlgorithm',
        Type.Enum(secretAlgorithms, {
          description:
            'What it signs with. Null: the master keys of the control process cannot open the secret.',
        }),
      ),
    ),
    public_key: publicKey,
    created_at: timestamp('When it was made'),
    not_after: nullable(timestamp('Until when it signs, since a newer one was made')),
  }),
  { description: 'A secret that signs the webhooks of an endpoint, without the secret.' },
);
export type SigningSecret = Static<typeof signingSecret>;

export const endpoint = named(
  'Endpoint',
  Type.Object({
    id: endpointId,
    tenant_id: tenantId,
    url: fields.url,
    state: fields.state,
    state_reason: nullable(
      named(
        'EndpointStateReason',
        Type.Enum(endpointStateReasons, { description: 'Why it is not active, for machines.' }),
      ),
    ),
    format: fields.format,
    signing_secrets: Type.Array(signingSecret, {
      description: 'The secrets that sign every webhook now, newest first.',
    }),
    ...endpointCredentialFields,
    description: nullable(fields.description),
    ...endpointPolicyFields,
    disable_after_seconds: nullable(disableAfterSeconds),
    revision,
    created_at: timestamp('When it was made'),
    updated_at: timestamp('When it was last changed'),
  }),
  { description: 'An endpoint, without its secrets.' },
);
export type EndpointResource = Static<typeof endpoint>;

/** As it is read by itself. */
export const endpointWithHealth = named(
  'EndpointWithHealth',
  Type.Object({
    ...endpoint.properties,
    health: endpointHealth,
  }),
  { description: 'An endpoint with its health.' },
);
export type EndpointWithHealth = Static<typeof endpointWithHealth>;

export const createdEndpoint = named(
  'CreatedEndpoint',
  Type.Object({
    ...endpoint.properties,
    secret: Type.String({
      description: 'The signing secret. Shown this once.',
      examples: ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'],
    }),
    subscription_id: nullable(resourceId('the subscription made with it', 'sub')),
  }),
  { description: 'A new endpoint with its signing secret.' },
);
export type CreatedEndpoint = Static<typeof createdEndpoint>;

export const secretRotation = named(
  'SecretRotation',
  Type.Object(
    {
      secret: Type.Optional(secretText),
      overlap_seconds: Type.Optional(
        Type.Integer({
          minimum: 0,
          maximum: 7 * 24 * 3600,
          default: 24 * 3600,
          description: 'For how long the secrets before sign too.',
        }),
      ),
    },
    strict,
  ),
  { description: 'How to replace the signing secret.', examples: [{ overlap_seconds: 86400 }] },
);
export type SecretRotation = Static<typeof secretRotation>;

export const rotatedSecret = named(
  'RotatedSecret',
  Type.Object({
    secret: Type.String({
      description: 'The new signing secret. Shown this once.',
      examples: ['whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD'],
    }),
    public_key: publicKey,
    previous_valid_until: timestamp('Until when the secrets before sign too'),
  }),
  { description: 'The new signing secret.' },
);
export type RotatedSecret = Static<typeof rotatedSecret>;

export const endpointListQuery = Type.Object(
  { ...pageFields, state: Type.Optional(fields.state) },
  strict,
);
export const endpointPage = pageOf('EndpointPage', endpoint);
