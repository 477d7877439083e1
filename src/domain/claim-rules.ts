/**
 * Maps the claims of a token of an OIDC issuer to what its bearer may do (CT-8, CT-21). The rules
 * are a setting: `groups=webhook-admins:admin,scope=events.publish:producer`. The first rule that
 * matches decides; without one the token is refused.
 */
import {
  type Capability,
  keyScopes,
  type KeyScope,
  operatorRoles,
  type OperatorRole,
  rolePresets,
} from './capabilities.ts';

const grants = [...keyScopes, ...operatorRoles] as const;
type Grant = KeyScope | OperatorRole;

export interface ClaimRule {
  claim: string;
  value: string;
  grant: Grant;
}

/** The rights that a rule gives. */
export interface ClaimedRights {
  scope: KeyScope;
  /** Set if the rule grants a role of an operator. */
  role?: OperatorRole;
  /** Absent: all that the scope allows. */
  capabilities?: readonly Capability[];
}

const RULES_MAX = 100;

/**
 * Parses rules `<claim>=<value>:<grant>`, separated by commas. The claim ends at the first `=`, the
 * value at the last `:`.
 *
 * @throws Error that names the faulty rule
 */
export function parseClaimRules(text: string): ClaimRule[] {
  const parts = text.split(',').map((part) => part.trim());
  const rules = parts.filter((part) => part !== '').map(parseRule);
  if (rules.length > RULES_MAX) throw new Error(`has more than ${RULES_MAX} rules`);
  return rules;
}

function parseRule(text: string): ClaimRule {
  const equals = text.indexOf('=');
  const colon = text.lastIndexOf(':');
  const claim = text.slice(0, equals);
  const value = text.slice(equals + 1, colon);
  const grant = grants.find((each) => each === text.slice(colon + 1));
  if (equals < 1 || colon <= equals + 1 || grant === undefined) {
    const forms = grants.join(', ');
    throw new Error(`"${text}" is not <claim>=<value>:<grant>, with one of the grants ${forms}`);
  }
  return { claim, value, grant };
}

/** Returns the rights by the first rule that matches; undefined if none does. */
export function rightsOf(
  claims: Readonly<Record<string, unknown>>,
  rules: readonly ClaimRule[],
): ClaimedRights | undefined {
  const rule = rules.find(({ claim, value }) => hasValue(claims, claim, value));
  if (rule === undefined) return undefined;
  const { grant } = rule;
  if (!isRole(grant)) return { scope: grant };
  return { scope: 'platform', role: grant, capabilities: rolePresets[grant] };
}

/** A claim is a list, or a text: `scope` separates its values by spaces (RFC 8693). */
function hasValue(claims: Readonly<Record<string, unknown>>, claim: string, value: string) {
  const given = Object.hasOwn(claims, claim) ? claims[claim] : undefined;
  if (Array.isArray(given)) return given.includes(value);
  if (typeof given === 'boolean') return String(given) === value;
  if (typeof given !== 'string') return false;
  return given === value || (claim === 'scope' && given.split(' ').includes(value));
}

function isRole(grant: Grant): grant is OperatorRole {
  return operatorRoles.some((role) => role === grant);
}
