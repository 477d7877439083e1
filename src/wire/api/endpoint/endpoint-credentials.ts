/**
 * Schemas of the credentials that an endpoint's requests send to the receiver: written by callers,
 * never shown again.
 */
import { type Static, Type } from 'typebox';
import { limits } from '#domain/limits.ts';
import { credentialTypes, tokenAuthMethods } from '#domain/endpoint/outbound-credentials.ts';
import { named } from '#wire/openapi/describe.ts';
import { nullable, strict, taggedUnion, timestamp } from '../fields.ts';

const secret = { maxLength: limits.credentialSecretLengthMax, writeOnly: true };

const known = {
  type: named(
    'CredentialType',
    Type.Enum(credentialTypes, {
      description: 'The type of the credentials; it decides which other fields apply.',
    }),
  ),
  username: Type.String({
    maxLength: limits.credentialUserLengthMax,
    description: 'For `basic`: the user name, without a colon.',
    examples: ['posthorn'],
  }),
  token_url: Type.String({
    minLength: 1,
    maxLength: limits.endpointUrlLengthMax,
    description:
      'For `oauth2`: the URL that issues access tokens for client credentials. https, unless the operator allowed plain http for its network.',
    examples: ['https://auth.example.com/oauth/token'],
  }),
  client_id: Type.String({
    minLength: 1,
    maxLength: limits.credentialUserLengthMax,
    description: 'For `oauth2`: the client id.',
    examples: ['posthorn'],
  }),
  scope: Type.String({
    minLength: 1,
    maxLength: limits.credentialScopeLengthMax,
    description: 'For `oauth2`: the scopes, separated by single spaces.',
    examples: ['webhooks.write'],
  }),
  audience: Type.String({
    minLength: 1,
    maxLength: limits.endpointUrlLengthMax,
    description: 'For `oauth2`: sent as `audience`, which some token endpoints require.',
    examples: ['https://api.example.com'],
  }),
  auth_method: named(
    'TokenAuthMethod',
    Type.Enum(tokenAuthMethods, {
      description: 'For `oauth2`: how the client sends its secret. Absent: `client_secret_basic`.',
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

const basic = named(
  'BasicCredentialSettings',
  Type.Object(
    {
      type: Type.Literal('basic'),
      username: known.username,
      password: Type.String({
        ...secret,
        description: 'The password.',
        examples: ['correct horse'],
      }),
    },
    { ...strict, description: 'A user name and a password (RFC 7617).' },
  ),
);

const bearer = named(
  'BearerCredentialSettings',
  Type.Object(
    {
      type: Type.Literal('bearer'),
      token: Type.String({
        ...secret,
        minLength: 1,
        description: 'The token.',
        examples: ['eyJhbGciOi…'],
      }),
    },
    { ...strict, description: 'A fixed token (RFC 6750).' },
  ),
);

const oauth2 = named(
  'OAuth2CredentialSettings',
  Type.Object(
    {
      type: Type.Literal('oauth2'),
      token_url: known.token_url,
      client_id: known.client_id,
      client_secret: Type.String({
        ...secret,
        minLength: 1,
        description: 'The client secret.',
        examples: ['hunter2'],
      }),
      scope: Type.Optional(known.scope),
      audience: Type.Optional(known.audience),
      auth_method: Type.Optional(known.auth_method),
    },
    { ...strict, description: 'OAuth 2 client credentials (RFC 6749, section 4.4).' },
  ),
);

const settings = {
  credentials: Type.Optional(
    nullable(
      named('CredentialSettings', taggedUnion('type', [basic, bearer, oauth2]), {
        description:
          'Credentials for the header field `authorization`. `type` decides which other fields apply. Replaced as a whole; null removes them.',
        examples: [{ type: 'bearer', token: 'eyJhbGciOi…' }],
      }),
    ),
  ),
  client_certificate: Type.Optional(
    nullable(
      named(
        'ClientCertificateSettings',
        Type.Object(
          {
            cert: certificateText(
              'The client certificate in PEM, followed by its intermediate certificates.',
            ),
            key: Type.String({
              minLength: 1,
              maxLength: limits.privateKeyPemLengthMax,
              writeOnly: true,
              description: 'The private key of the certificate in PEM, without a passphrase.',
              examples: ['-----BEGIN PRIVATE KEY-----\n…\n-----END PRIVATE KEY-----\n'],
            }),
            ca: Type.Optional(
              certificateText(
                'Certificate authorities in PEM that may have signed the certificate of the receiver. They replace the authorities that are trusted by default.',
              ),
            ),
          },
          {
            ...strict,
            description:
              'Client certificate for mutual TLS; it can be combined with `credentials`. Replaced as a whole; null removes it.',
          },
        ),
      ),
    ),
  ),
};

/** The fields as requests send them. */
export const endpointCredentialSettings = settings;
const settingsObject = Type.Object(settings);
export type EndpointCredentialSettings = Static<typeof settingsObject>;

/** The fields as answers show them: without secrets. */
export const endpointCredentialFields = {
  header_names: Type.Array(Type.String({ examples: ['x-tenant'] }), {
    description:
      'Names of the header fields that every webhook carries. Their values are not shown.',
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
        { description: 'The credentials of the header field `authorization`, without secrets.' },
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
          subject: Type.String({
            description: 'Distinguished name of the subject.',
            examples: ['CN=posthorn'],
          }),
          issuer: Type.String({
            description: 'Distinguished name of the issuer.',
            examples: ['CN=Example CA'],
          }),
          fingerprint_sha256: Type.String({
            description: 'SHA-256 fingerprint of the certificate, in hex.',
            examples: ['9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08'],
          }),
          not_before: timestamp('Start of the validity of the certificate'),
          not_after: timestamp('End of the validity of the certificate'),
          has_ca: Type.Boolean({
            description: 'True if a `ca` was given with the certificate.',
            examples: [false],
          }),
        },
        { description: 'The client certificate that is sent in mutual TLS.' },
      ),
    ),
  ),
};

const fieldsObject = Type.Object(endpointCredentialFields);
export type EndpointCredentialFields = Static<typeof fieldsObject>;
