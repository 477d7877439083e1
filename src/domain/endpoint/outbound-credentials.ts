/** Credentials of a webhook in addition to its signature (DL-14). Stored sealed; never shown. */

export const credentialTypes = ['basic', 'bearer', 'oauth2'] as const;
export type CredentialType = (typeof credentialTypes)[number];

/** How a client authenticates to the token endpoint (RFC 6749, section 2.3.1). */
export const tokenAuthMethods = ['client_secret_basic', 'client_secret_post'] as const;
export type TokenAuthMethod = (typeof tokenAuthMethods)[number];

/** OAuth 2 client credentials (RFC 6749, section 4.4). */
export interface OAuth2Credentials {
  type: 'oauth2';
  tokenUrl: string;
  clientId: string;
  clientSecret: string;
  authMethod: TokenAuthMethod;
  scope?: string;
  audience?: string;
}

export type OutboundCredentials =
  | { type: 'basic'; username: string; password: string }
  | { type: 'bearer'; token: string }
  | OAuth2Credentials;

/** For mTLS, all of it PEM. */
export interface ClientCertificate {
  /** The certificate, and those between it and its root. */
  cert: string;
  /** Without a passphrase. */
  key: string;
  /** CAs of the receiver's certificate, instead of those that Node trusts. */
  ca?: string;
}
