import type { EgressGuard } from '#domain/endpoint/egress.ts';
import { type FieldError, PosthornError } from '#domain/errors.ts';
import type { OutboundCredentials } from '#domain/endpoint/outbound-credentials.ts';
import type { EndpointCredentialSettings } from '#wire/api/endpoint/endpoint-credentials.ts';
import { checkTargetUrl } from '../resources/endpoint-url.ts';

type Given = NonNullable<EndpointCredentialSettings['credentials']>;
/** The fields of all types. */
type Field = Exclude<Given extends infer G ? (G extends G ? keyof G : never) : never, 'type'>;
type Fields = Partial<Record<Field, string>>;

const PRINTABLE = /^[^\p{Cc}\p{Cs}]*$/u;
/** RFC 6749, appendix A: VSCHAR, and scopes of NQCHAR. */
const VSCHAR = /^[\x20-\x7e]*$/;
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*$/;
const VISIBLE = /^[\x21-\x7e]*$/;

const NO_CONTROL = 'must not contain control characters';
const characters: Partial<Record<Field, { allowed: RegExp; fault: string }>> = {
  password: { allowed: PRINTABLE, fault: NO_CONTROL },
  token: { allowed: VISIBLE, fault: 'must be visible ASCII' },
  client_id: { allowed: VSCHAR, fault: 'must be printable ASCII' },
  client_secret: { allowed: VSCHAR, fault: 'must be printable ASCII' },
  scope: { allowed: SCOPE, fault: 'must be a list of scopes separated by single spaces' },
  audience: { allowed: PRINTABLE, fault: NO_CONTROL },
};

/**
 * Checks credentials in a request beyond the schema of each field.
 *
 * @throws PosthornError POSTHORN_REQUEST_INVALID that names every bad field and repeats no value
 */
export function checkCredentials(given: Given, guard: EgressGuard): OutboundCredentials {
  const faults = characterFaults(given);
  const tokenUrl = given.type === 'oauth2' ? checkTargetUrl(given.token_url, guard) : undefined;
  if (tokenUrl?.ok === false) faults.push(at('token_url', tokenUrl.fault));
  if (faults.length > 0) throw new PosthornError('POSTHORN_REQUEST_INVALID', { fields: faults });
  return credentialsOf(given, tokenUrl?.ok === true ? tokenUrl.url.href : '');
}

function characterFaults(given: Fields): FieldError[] {
  const faults: FieldError[] = [];
  for (const [name, { allowed, fault }] of Object.entries(characters)) {
    const value = given[name as Field];
    if (value !== undefined && !allowed.test(value)) faults.push(at(name as Field, fault));
  }
  const { username } = given;
  if (username === undefined) return faults;
  // The first colon ends the name (RFC 7617, section 2).
  if (username.includes(':')) faults.push(at('username', 'must not contain a colon'));
  if (!PRINTABLE.test(username)) faults.push(at('username', NO_CONTROL));
  if (username === '' && given.password === '') {
    faults.push(at('username', 'must not be empty if the password is empty'));
  }
  return faults;
}

function at(name: Field, detail: string): FieldError {
  return { pointer: `/credentials/${name}`, detail };
}

/** Builds the credentials from fields that passed the checks. */
function credentialsOf(given: Given, tokenUrl: string): OutboundCredentials {
  switch (given.type) {
    case 'basic':
    case 'bearer':
      return given;
    case 'oauth2':
      return {
        type: 'oauth2',
        tokenUrl,
        clientId: given.client_id,
        clientSecret: given.client_secret,
        authMethod: given.auth_method ?? 'client_secret_basic',
        ...(given.scope === undefined ? {} : { scope: given.scope }),
        ...(given.audience === undefined ? {} : { audience: given.audience }),
      };
  }
}
