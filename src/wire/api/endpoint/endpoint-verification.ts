/** Schemas of the verification of an endpoint. */
import { type Static, Type } from 'typebox';
import { verificationMethods } from '#domain/endpoint/endpoint.ts';
import { named } from '#wire/openapi/describe.ts';
import { attempt } from '../delivery.ts';
import { nullable, timestamp } from '../fields.ts';

const method = named(
  'VerificationMethod',
  Type.Enum(verificationMethods, {
    description:
      '`ping`: the receiver answers a signed test webhook with a 2xx status. `cloudevents`: the receiver allows the origin in the handshake of CloudEvents webhooks.',
  }),
);

export const newVerification = named(
  'NewVerification',
  Type.Enum(['none', ...verificationMethods] as const, {
    default: 'none',
    description:
      'How the receiver has to agree before it gets webhooks. Other than `none`, the endpoint is paused until it is verified.',
  }),
);

export const endpointVerification = named(
  'EndpointVerification',
  Type.Object({
    method,
    verified_at: nullable(timestamp('When the receiver agreed; null: not yet')),
  }),
  { description: 'How the receiver agrees to get webhooks, and when it did.' },
);
export type EndpointVerification = Static<typeof endpointVerification>;

export const verificationResult = named(
  'VerificationResult',
  Type.Object({
    status: named(
      'VerificationStatus',
      Type.Enum(['verified', 'failed'] as const, {
        description: '`verified`: the receiver agreed, and gets webhooks from now on.',
      }),
    ),
    detail: nullable(
      Type.String({
        description: 'Why the verification failed.',
        examples: ['the answer has no webhook-allowed-origin'],
      }),
    ),
    attempt,
  }),
  { description: 'What the receiver answered to the verification.' },
);
export type VerificationResult = Static<typeof verificationResult>;
