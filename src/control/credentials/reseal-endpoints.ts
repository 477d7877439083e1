import type { EndpointDocument } from '#infra/mongo/configuration.ts';
import type { EndpointSnapshot } from '#wire/config-snapshot.ts';
import { credentialContext } from '#wire/sealed-credentials.ts';
import { isPosthornError } from '#domain/errors.ts';
import { changeTenant, type ConfigurationDeps } from '../config-sync/change-tenant.ts';

/** Endpoints of a tenant that one transaction changes, which creates one new snapshot. */
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
  /** Number of endpoints that were sealed again. */
  endpoints: number;
  /** The first few endpoints with a secret that no key opens, and the error. */
  faults: string[];
  /** Number of endpoints with such a secret. */
  failed: number;
}

/**
 * Seals all secrets of endpoints again with the current key (CT-10). Each step is a transaction on
 * some endpoints of one tenant that changes nothing else and keeps the ETags. So it may crash at
 * any line, run again, and run while the system is in use. The bucket CONFIG follows as with any
 * change.
 */
export async function resealEndpoints(deps: ResealDeps): Promise<Resealing> {
  const { endpoints } = deps.configuration;
  const done: Resealing = { endpoints: 0, faults: [], failed: 0 };
  let batch: { tenant: string; ids: string[] } = { tenant: '', ids: [] };
  const flush = async (): Promise<void> => {
    if (batch.ids.length > 0) await resealBatch(deps, batch, done);
  };
  // In index order. A document that is added behind the cursor during the run is sealed with the
  // new key anyway.
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

/** Whether all secrets of a snapshot are sealed with the current key. */
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
      // Read again in the transaction, because other requests change endpoints too.
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
    // The tenant was deleted in between.
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

/**
 * Returns the sealed fields, sealed again with the current key. @throws Error if a key is missing
 */
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
