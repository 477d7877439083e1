/** What an endpoint's requests show to their receiver, in the API: written, and never shown again. */
import { type Static, Type } from 'typebox';
import { limits } from '#domain/limits.ts';
import { credentialTypes, tokenAuthMethods } from '#domain/endpoint/outbound-credentials.ts';
import { named } from '#wire/openapi/describe.ts';
import { nullable, strict, timestamp } from '../fields.ts';

const secret = { maxLength: limits.credentialSecretLengthMax, writeOnly: true };

const known = {
  type: named(
    'CredentialType',
    Type.Enum(credentialTypes, { description: 'Which of the fields belong to it.' }),
  ),
  username: Type.String({
    maxLength: limits.credentialUserLengthMax,
    description: 'For `basic`: without a colon.',
    examples: ['posthorn'],
  }),
  token_url: Type.String({
    minLength: 1,
    maxLength: limits.endpointUrlLengthMax,
    description:
      'For `oauth2`: where access tokens are got with client credentials. https, unless the operator allowed the network.',
    examples: ['https://auth.example.com/oauth/token'],
  }),
  client_id: Type.String({
    minLength: 1,
    maxLength: limits.credentialUserLengthMax,
    description: 'For `oauth2`.',
    examples: ['posthorn'],
  }),
  scope: Type.String({
    minLength: 1,
    maxLength: limits.credentialScopeLengthMax,
    description: 'For `oauth2`: scopes, a space between two.',
    examples: ['webhooks.write'],
  }),
  audience: Type.String({
    minLength: 1,
    maxLength: limits.endpointUrlLengthMax,
    description: 'For `oauth2`: sent as `audience`, which some token endpoints ask for.',
    examples: ['https://api.example.com'],
  }),
  auth_method: named(
    'TokenAuthMethod',
    Type.Enum(tokenAuthMethods, {
      description: 'For `oauth2`: how the client shows its secret. Absent: `client_secret_basic`.',
    }),
  ),
};

const certificateText = (description: string) =>
  Type.String({
    minLength: 1,
    maxLength: limits.certificatePemLengthMax,
    description,
    examples: ['-----BEGIN CERTIFICATE-----\n…\n-----END CERTIFICATE-----\n'],
  });

const settings = {
  credentials: Type.Optional(
    nullable(
      named(
        'CredentialSettings',
        Type.Object(
          {
            type: known.type,
            username: Type.Optional(known.username),
            password: Type.Optional(
              Type.String({ ...secret, description: 'For `basic`.', examples: ['correct horse'] }),
            ),
            token: Type.Optional(
              Type.String({
                ...secret,
                minLength: 1,
                description: 'For `bearer`.',
                examples: ['eyJhbGciOi…'],
              }),
            ),
            token_url: Type.Optional(known.token_url),
            client_id: Type.Optional(known.client_id),
            client_secret: Type.Optional(
              Type.String({
                ...secret,
                minLength: 1,
                description: 'For `oauth2`.',
                examples: ['hunter2'],
              }),
            ),
            scope: Type.Optional(known.scope),
            audience: Type.Optional(known.audience),
            auth_method: Type.Optional(known.auth_method),
          },
          {
            ...strict,
            description:
              'What stands in `authorization`: `basic` (`username`, `password`), `bearer` (`token`) or `oauth2` (`token_url`, `client_id`, `client_secret`, and `scope`, `audience`, `auth_method` where they are needed). Replaced whole; null takes it away.',
          },
        ),
        { examples: [{ type: 'bearer', token: 'eyJhbGciOi…' }] },
      ),
    ),
  ),
  client_certificate: Type.Optional(
    nullable(
      named(
        'ClientCertificateSettings',
        Type.Object(
          {
            cert: certificateText('The certificate in PEM, and after it those up to its root.'),
            key: Type.String({
              minLength: 1,
              maxLength: limits.privateKeyPemLengthMax,
              writeOnly: true,
              description: 'Its private key in PEM, without a passphrase.',
              examples: ['-----BEGIN PRIVATE KEY-----\n…\n-----END PRIVATE KEY-----\n'],
            }),
            ca: Type.Optional(
              certificateText(
                'In PEM, who may have signed the receiver’s certificate, instead of the authorities that are trusted else.',
              ),
            ),
          },
          {
            ...strict,
            description: 'For mTLS, beside any `credentials`. Replaced whole; null takes it away.',
          },
        ),
      ),
    ),
  ),
};

/** As a request gives them. */
export const endpointCredentialSettings = settings;
const settingsObject = Type.Object(settings);
export type EndpointCredentialSettings = Static<typeof settingsObject>;

/** As an answer shows them: what is not secret. */
export const endpointCredentialFields = {
  header_names: Type.Array(Type.String({ examples: ['x-tenant'] }), {
    description: 'Names of the header fields sent with every webhook; their values are not shown.',
  }),
  credentials: nullable(
    named(
      'Credentials',
      Type.Object(
        {
          type: known.type,
          username: Type.Optional(known.username),
          token_url: Type.Optional(known.token_url),
          client_id: Type.Optional(known.client_id),
          scope: Type.Optional(known.scope),
          audience: Type.Optional(known.audience),
          auth_method: Type.Optional(known.auth_method),
        },
        { description: 'What stands in `authorization`, without its secrets.' },
      ),
      {
        examples: [
          {
            type: 'oauth2',
            token_url: 'https://auth.example.com/oauth/token',
            client_id: 'posthorn',
          },
        ],
      },
    ),
  ),
  client_certificate: nullable(
    named(
      'ClientCertificate',
      Type.Object(
        {
          subject: Type.String({ description: 'Distinguished name.', examples: ['CN=posthorn'] }),
          issuer: Type.String({ description: 'Distinguished name.', examples: ['CN=Example CA'] }),
          fingerprint_sha256: Type.String({
            description: 'Of the certificate, in hex.',
            examples: ['9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08'],
          }),
          not_before: timestamp('From when it is valid'),
          not_after: timestamp('Until when it is valid'),
          has_ca: Type.Boolean({
            description: 'Whether a `ca` was given with it.',
            examples: [false],
          }),
        },
        { description: 'What is shown in mTLS.' },
      ),
    ),
  ),
};

const fieldsObject = Type.Object(endpointCredentialFields);
export type EndpointCredentialFields = Static<typeof fieldsObject>;
