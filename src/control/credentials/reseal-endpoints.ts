import type { EndpointDocument } from '#infra/mongo/configuration.ts';
import type { EndpointSnapshot } from '#wire/config-snapshot.ts';
import { credentialContext } from '#wire/sealed-credentials.ts';
import { isPosthornError } from '#domain/errors.ts';
import { changeTenant, type ConfigurationDeps } from '../config-sync/change-tenant.ts';

/** Endpoints of a tenant that are changed in one transaction, and so make one new snapshot. */
const ENDPOINTS_AT_ONCE = 500;
const FAULTS_MAX = 20;

export interface Resealer {
  isCurrent(sealed: string): boolean;
  reseal(sealed: string, context: string): string;
}

export type ResealDeps = Pick<ConfigurationDeps, 'mongo' | 'configuration' | 'turns' | 'clock'> & {
  secretBox: Resealer;
};

export interface Resealing {
  /** Endpoints that were sealed anew. */
  endpoints: number;
  /** What no key opens: the endpoint and why; the first few. */
  faults: string[];
  /** How many endpoints have such. */
  failed: number;
}

/**
 * Seals whatever endpoints have sealed under the key that seals now (CT-10). Each step is a transaction of some
 * endpoints of one tenant that changes nothing else and leaves the ETags, so it may be killed at any line, run
 * again, and run while the system does. The bucket CONFIG follows as it does any change.
 */
export async function resealEndpoints(deps: ResealDeps): Promise<Resealing> {
  const { endpoints } = deps.configuration;
  const done: Resealing = { endpoints: 0, faults: [], failed: 0 };
  let batch: { tenant: string; ids: string[] } = { tenant: '', ids: [] };
  const flush = async (): Promise<void> => {
    if (batch.ids.length > 0) await resealBatch(deps, batch, done);
  };
  // In the order of an index; what is added behind the cursor meanwhile is sealed under the new key anyway.
  for await (const endpoint of endpoints.find().sort({ tenant: 1, _id: 1 })) {
    if (sealedOf(endpoint).every((sealed) => deps.secretBox.isCurrent(sealed))) continue;
    if (endpoint.tenant !== batch.tenant || batch.ids.length >= ENDPOINTS_AT_ONCE) {
      await flush();
      batch = { tenant: endpoint.tenant, ids: [] };
    }
    batch.ids.push(endpoint._id);
  }
  await flush();
  return done;
}

/** Whether all that a snapshot holds sealed is sealed under the key that seals now. */
export function isSnapshotCurrent(endpoints: EndpointSnapshot[], box: Resealer): boolean {
  return endpoints.every(({ secrets, sealedHeaders, sealedCredentials, sealedCertificate }) =>
    [...secrets.map(({ sealed }) => sealed), sealedHeaders, sealedCredentials, sealedCertificate]
      .filter((sealed) => sealed !== undefined)
      .every((sealed) => box.isCurrent(sealed)),
  );
}

async function resealBatch(
  deps: ResealDeps,
  { tenant, ids }: { tenant: string; ids: string[] },
  done: Resealing,
): Promise<void> {
  const { endpoints } = deps.configuration;
  let changed = 0;
  let faults: string[] = [];
  try {
    await changeTenant({ ...deps, publish: notNow }, tenant, async ({ session }) => {
      changed = 0;
      faults = [];
      // Read anew: others change them too.
      const found = await endpoints.find({ _id: { $in: ids } }, { session }).toArray();
      const writes = [];
      for (const endpoint of found) {
        try {
          const update = { $set: resealed(endpoint, deps.secretBox) };
          writes.push({ updateOne: { filter: { _id: endpoint._id }, update } });
        } catch (error) {
          faults.push(`${endpoint._id}: ${(error as Error).message}`);
        }
      }
      if (writes.length > 0) await endpoints.bulkWrite(writes, { session });
      changed = writes.length;
    });
  } catch (error) {
    // Deleted since.
    if (isPosthornError(error) && error.code === 'POSTHORN_TENANT_UNKNOWN') return;
    throw error;
  }
  done.endpoints += changed;
  done.failed += faults.length;
  done.faults.push(...faults.slice(0, FAULTS_MAX - done.faults.length));
}

async function notNow(): Promise<void> {}

function sealedOf(endpoint: EndpointDocument): string[] {
  const {
    secrets,
    sealed_headers: headers,
    credentials,
    client_certificate: certificate,
  } = endpoint;
  const sealed = [headers, credentials?.sealed, certificate?.sealed];
  return [
    ...secrets.map((secret) => secret.sealed),
    ...sealed.filter((one) => typeof one === 'string'),
  ];
}

/** The fields that hold something sealed. @throws Error where a key is missing */
function resealed(endpoint: EndpointDocument, box: Resealer): Partial<EndpointDocument> {
  const {
    _id: id,
    sealed_headers: headers,
    credentials,
    client_certificate: certificate,
  } = endpoint;
  const fields: Partial<EndpointDocument> = {
    secrets: endpoint.secrets.map((secret) => ({
      ...secret,
      sealed: box.reseal(secret.sealed, id),
    })),
  };
  if (typeof headers === 'string') {
    fields.sealed_headers = box.reseal(headers, credentialContext('headers', id));
  }
  if (credentials) {
    const sealed = box.reseal(credentials.sealed, credentialContext('credentials', id));
    fields.credentials = { ...credentials, sealed };
  }
  if (certificate) {
    const sealed = box.reseal(certificate.sealed, credentialContext('client_certificate', id));
    fields.client_certificate = { ...certificate, sealed };
  }
  return fields;
}
