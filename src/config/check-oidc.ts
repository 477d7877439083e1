import { parseClaimRules } from '#domain/claim-rules.ts';
import type { Environment } from './schema.ts';

const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]']);

/** Adds the faults of the settings of OIDC that a single setting does not show. */
export function checkOidc(settings: Environment, faults: string[]): void {
  try {
    const rules = parseClaimRules(settings.POSTHORN_OIDC_ACCESS_RULES);
    if (settings.POSTHORN_OIDC_ISSUER !== undefined && rules.length === 0) {
      faults.push('POSTHORN_OIDC_ACCESS_RULES: is required with POSTHORN_OIDC_ISSUER');
    }
  } catch (error) {
    faults.push(`POSTHORN_OIDC_ACCESS_RULES: ${(error as Error).message}`);
  }
  const { POSTHORN_OIDC_ISSUER: issuer, POSTHORN_OIDC_CLIENT_ID: client } = settings;
  if (issuer !== undefined && !isSafe(issuer)) {
    faults.push('POSTHORN_OIDC_ISSUER: must be an https URL, or http on this machine');
  }
  const needIssuer = ['POSTHORN_OIDC_AUDIENCE', 'POSTHORN_OIDC_CLIENT_ID'] as const;
  for (const name of needIssuer) {
    if (settings[name] !== undefined && issuer === undefined) {
      faults.push(`${name}: needs POSTHORN_OIDC_ISSUER`);
    }
  }
  if (settings.POSTHORN_OIDC_CLIENT_SECRET !== undefined && client === undefined) {
    faults.push('POSTHORN_OIDC_CLIENT_SECRET: needs POSTHORN_OIDC_CLIENT_ID');
  }
  if (client !== undefined && settings.POSTHORN_PUBLIC_URL === undefined) {
    faults.push(
      'POSTHORN_OIDC_CLIENT_ID: needs POSTHORN_PUBLIC_URL, to which the issuer redirects',
    );
  }
}

function isSafe(issuer: string): boolean {
  if (!URL.canParse(issuer)) return false;
  const { protocol, hostname } = new URL(issuer);
  return protocol === 'https:' || LOOPBACK.has(hostname);
}
