import { integer, optionalText, text } from '../setting.ts';

/** Tokens of an OIDC issuer, and the sign-in of operators. */
export const oidcSettings = {
  POSTHORN_OIDC_ISSUER: optionalText({
    minLength: 1,
    maxLength: 512,
    pattern: '^https?://[^\\s?#]+$',
    description:
      'Issuer of tokens (OpenID Connect), as its tokens name it: an https URL, or http on this machine. Absent: only API keys are accepted.',
  }),
  POSTHORN_OIDC_AUDIENCE: optionalText({
    minLength: 1,
    maxLength: 512,
    description:
      'Audience (`aud`) of access tokens for this API. Absent: access tokens are not accepted.',
  }),
  POSTHORN_OIDC_ACCESS_RULES: text({
    default: '',
    maxLength: 8192,
    description:
      'Which claims give which access: rules `<claim>=<value>:<grant>`, separated by commas. A grant is a scope (platform, producer, tenant) or a role (viewer, operator, admin). The first rule that matches decides.',
  }),
  POSTHORN_OIDC_TENANT_CLAIM: text({
    default: 'tenant',
    minLength: 1,
    maxLength: 128,
    description: 'Claim with the tenant of an access token with the scope producer or tenant.',
  }),
  POSTHORN_OIDC_CLIENT_ID: optionalText({
    minLength: 1,
    maxLength: 512,
    description:
      'Client id for the sign-in of operators; needs `POSTHORN_PUBLIC_URL`. Absent: operators cannot sign in.',
  }),
  POSTHORN_OIDC_CLIENT_SECRET: optionalText({
    secret: true,
    minLength: 1,
    maxLength: 1024,
    description: 'Secret of that client. Absent: a public client, protected by PKCE alone.',
  }),
  POSTHORN_OIDC_SCOPES: text({
    default: 'openid profile',
    pattern: '^openid( [\\x21\\x23-\\x5b\\x5d-\\x7e]+)*$',
    maxLength: 512,
    description: 'Scopes that the sign-in requests, so that the ID token has the claims.',
  }),
  POSTHORN_OPERATOR_SESSION_SECONDS: integer({
    default: 8 * 3600,
    minimum: 300,
    maximum: 7 * 24 * 3600,
    description: 'How long an operator stays signed in.',
  }),
};
