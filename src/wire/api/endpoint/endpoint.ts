/** Schemas of endpoints. */
import { type Static, Type } from 'typebox';
import { bodyFormats, endpointStatusReasons, endpointStatuses } from '#domain/endpoint/endpoint.ts';
import { limits } from '#domain/limits.ts';
import { named } from '#wire/openapi/describe.ts';
import { secretAlgorithms } from '../../webhook/signature.ts';
import { endpointCredentialFields, endpointCredentialSettings } from './endpoint-credentials.ts';
import { disableAfterSeconds, endpointHealth } from './endpoint-health.ts';
import { endpointPause } from './endpoint-pause.ts';
import { endpointVerification, newVerification } from './endpoint-verification.ts';
import { endpointPolicyFields, endpointPolicySettings } from './endpoint-policy.ts';
import { pollKind, pollPolicy, pollSettings, webhookKind } from './poll-endpoint.ts';
import {
  eventTypeSelectors,
  filterDocument,
  nullable,
  resourceId,
  revision,
  strict,
  taggedUnion,
  tenantId,
  timestamp,
} from '../fields.ts';
import { filterBy, orderField, pageFields, pageOf } from '../page.ts';

const endpointId = resourceId('an endpoint', 'ep');

export const endpointParams = Type.Object({ tenant: tenantId, endpoint: endpointId }, strict);

const secretText = Type.String({
  maxLength: 128,
  description:
    'Signing secret: `whsec_` followed by 24 to 64 bytes in base64 (HMAC-SHA256), or `whsk_` followed by an ed25519 key in base64.',
  examples: ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'],
});

const fields = {
  url: Type.String({
    minLength: 1,
    maxLength: limits.endpointUrlLengthMax,
    description:
      'The URL that webhooks are sent to. https, unless the operator allowed plain http for its network. Stored and shown in normalized form.',
    examples: ['https://example.com/webhooks'],
  }),
  headers: Type.Record(Type.String(), Type.String(), {
    maxProperties: limits.endpointHeadersMax,
    writeOnly: true,
    description:
      'Header fields that every webhook carries. Replaced as a whole; their values are not shown again.',
    examples: [{ 'x-tenant': 'acme' }],
  }),
  format: named(
    'BodyFormat',
    Type.Enum(bodyFormats, {
      description:
        'Format of webhooks: the envelope of Standard Webhooks, a CloudEvent, or `data` alone.',
    }),
  ),
  description: Type.String({
    maxLength: 500,
    description: 'A label for people; the platform does not use it.',
    examples: ['Orders of the shop'],
  }),
  status: named(
    'EndpointStatus',
    Type.Enum(endpointStatuses, {
      description:
        'Only an `active` endpoint gets webhooks. Deliveries to another one are held until it is active again.',
    }),
  ),
  allowDuplicate: Type.Boolean({
    description: 'True: accept the URL even if another endpoint of the tenant has it.',
    examples: [false],
  }),
};

export const newEndpoint = named(
  'NewEndpoint',
  Type.Object(
    {
      kind: Type.Optional(webhookKind),
      url: fields.url,
      event_types: Type.Optional(
        eventTypeSelectors('Absent: all. Empty: none; subscriptions are created separately.'),
      ),
      filter: Type.Optional(filterDocument),
      secret: Type.Optional(secretText),
      headers: Type.Optional(fields.headers),
      format: Type.Optional(fields.format),
      description: Type.Optional(fields.description),
      ...endpointCredentialSettings,
      ...endpointPolicySettings,
      disable_after_seconds: Type.Optional(nullable(disableAfterSeconds)),
      verification: Type.Optional(newVerification),
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

export const newPollEndpoint = named(
  'NewPollEndpoint',
  Type.Object(
    {
      kind: pollKind,
      event_types: newEndpoint.properties.event_types,
      filter: newEndpoint.properties.filter,
      description: newEndpoint.properties.description,
      sequenced: endpointPolicySettings.sequenced,
      poll: Type.Optional(pollSettings),
    },
    strict,
  ),
  {
    description: 'An endpoint to create that is polled.',
    examples: [{ kind: 'poll', event_types: ['order.*'], poll: { lease_seconds: 60 } }],
  },
);
export type NewPollEndpoint = Static<typeof newPollEndpoint>;

/** Checks a body whose `kind` is set. It is documented as one of the two, without a `kind` too. */
export const newEndpointOfKind = taggedUnion('kind', [
  Type.Object({ ...newEndpoint.properties, kind: webhookKind }, strict),
  newPollEndpoint,
]);

export const endpointChange = named(
  'EndpointChange',
  Type.Object(
    {
      url: Type.Optional(fields.url),
      headers: Type.Optional(fields.headers),
      format: Type.Optional(fields.format),
      description: Type.Optional(nullable(fields.description)),
      status: Type.Optional(fields.status),
      ...endpointCredentialSettings,
      ...endpointPolicySettings,
      poll: Type.Optional(pollSettings),
      disable_after_seconds: Type.Optional(nullable(disableAfterSeconds)),
      allow_duplicate_url: Type.Optional(fields.allowDuplicate),
    },
    { ...strict, minProperties: 1 },
  ),
  {
    description: 'The fields of an endpoint to change.',
    examples: [{ description: 'Orders of the shop', timeout_ms: 5000, status: 'active' }],
  },
);
export type EndpointChange = Static<typeof endpointChange>;

const publicKey = nullable(
  Type.String({
    description:
      'The key that receivers verify with: `whpk_` followed by the ed25519 public key in base64, as Standard Webhooks defines it. Null for HMAC, where both sides share the secret.',
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
            'Signature algorithm. Null: the master keys of the control process cannot open the secret.',
        }),
      ),
    ),
    public_key: publicKey,
    created_at: timestamp('When the secret was created'),
    expires_at: nullable(
      timestamp(
        'When the secret stops signing because a newer one replaced it; null: not replaced',
      ),
    ),
  }),
  { description: 'A signing secret of an endpoint, without the secret itself.' },
);
export type SigningSecret = Static<typeof signingSecret>;

const statusReason = named(
  'EndpointStatusReason',
  Type.Enum(endpointStatusReasons, {
    description: 'Why the endpoint is not active, as a code for programs.',
  }),
);

const ofEveryKind = {
  status: fields.status,
  status_reason: nullable(statusReason),
  pause: nullable(endpointPause),
};
const ofEveryKindLast = {
  revision,
  created_at: timestamp('When the endpoint was created'),
  updated_at: timestamp('When the endpoint was last changed'),
};

const webhookEndpoint = named(
  'WebhookEndpoint',
  Type.Object({
    id: endpointId,
    tenant_id: tenantId,
    kind: webhookKind,
    url: fields.url,
    ...ofEveryKind,
    verification: nullable(endpointVerification),
    format: fields.format,
    signing_secrets: Type.Array(signingSecret, {
      description: 'The secrets that sign each webhook at present, newest first.',
    }),
    ...endpointCredentialFields,
    description: nullable(fields.description),
    ...endpointPolicyFields,
    disable_after_seconds: nullable(disableAfterSeconds),
    ...ofEveryKindLast,
  }),
  { description: 'An endpoint that webhooks are sent to, without its secrets.' },
);

const pollEndpoint = named(
  'PollEndpoint',
  Type.Object({
    id: endpointId,
    tenant_id: tenantId,
    kind: pollKind,
    ...ofEveryKind,
    description: nullable(fields.description),
    sequenced: endpointPolicyFields.sequenced,
    poll: pollPolicy,
    ...ofEveryKindLast,
  }),
  { description: 'An endpoint that is polled.' },
);

export const endpoint = named('Endpoint', taggedUnion('kind', [webhookEndpoint, pollEndpoint]), {
  description: 'An endpoint of either kind.',
});
export type EndpointResource = Static<typeof webhookEndpoint> | Static<typeof pollEndpoint>;

/** The endpoint as a single read returns it. */
export const endpointWithHealth = named(
  'EndpointWithHealth',
  taggedUnion('kind', [
    named(
      'WebhookEndpointWithHealth',
      Type.Object({ ...webhookEndpoint.properties, health: endpointHealth }),
      { description: 'An endpoint that webhooks are sent to, with its health.' },
    ),
    named(
      'PollEndpointWithHealth',
      Type.Object({ ...pollEndpoint.properties, health: endpointHealth }),
      { description: 'An endpoint that is polled, with its health.' },
    ),
  ]),
  { description: 'An endpoint with its health.' },
);
export type EndpointWithHealth = Static<typeof endpointWithHealth>;

const withSubscription = {
  subscription_id: nullable(
    resourceId('the subscription that was created with the endpoint', 'sub'),
  ),
};

export const createdEndpoint = named(
  'CreatedEndpoint',
  taggedUnion('kind', [
    named(
      'CreatedWebhookEndpoint',
      Type.Object({
        ...webhookEndpoint.properties,
        secret: Type.String({
          description: 'The signing secret. It is shown only in this answer.',
          examples: ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'],
        }),
        ...withSubscription,
      }),
      { description: 'A new endpoint that webhooks are sent to, with its signing secret.' },
    ),
    named('CreatedPollEndpoint', Type.Object({ ...pollEndpoint.properties, ...withSubscription }), {
      description: 'A new endpoint that is polled.',
    }),
  ]),
  { description: 'A new endpoint of either kind.' },
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
          description: 'Seconds for which previous secrets keep signing alongside the new one.',
        }),
      ),
    },
    strict,
  ),
  { description: 'How to rotate the signing secret.', examples: [{ overlap_seconds: 86400 }] },
);
export type SecretRotation = Static<typeof secretRotation>;

export const rotatedSecret = named(
  'RotatedSecret',
  Type.Object({
    secret: Type.String({
      description: 'The new signing secret. It is shown only in this answer.',
      examples: ['whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD'],
    }),
    public_key: publicKey,
    previous_expires_at: timestamp('When the previous secrets stop signing'),
  }),
  { description: 'The new signing secret.' },
);
export type RotatedSecret = Static<typeof rotatedSecret>;

export const revealedSecrets = named(
  'RevealedSecrets',
  Type.Object({
    data: Type.Array(
      named(
        'RevealedSecret',
        Type.Object({
          ...signingSecret.properties,
          secret: nullable(
            Type.String({
              description:
                'The signing secret. Null: the master keys of the control process cannot open it.',
              examples: ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'],
            }),
          ),
        }),
        { description: 'A signing secret of an endpoint.' },
      ),
      { description: 'The secrets that sign each webhook at present, newest first.' },
    ),
  }),
  { description: 'The signing secrets of an endpoint.' },
);
export type RevealedSecrets = Static<typeof revealedSecrets>;

export const endpointListQuery = Type.Object(
  { ...pageFields, ...orderField('oldest'), status: filterBy(fields.status) },
  strict,
);
export type EndpointListQuery = Static<typeof endpointListQuery>;
export const endpointPage = pageOf('EndpointPage', endpoint);
