import { notFound } from '#domain/field-faults.ts';
import type { EndpointDocument } from '#infra/mongo/configuration.ts';
import type { EndpointResource, RevealedSecrets } from '#wire/api/endpoint/endpoint.ts';
import type { ConfigurationDeps } from '../config-sync/change-tenant.ts';
import { changeEndpoint, type EndpointToChange } from '../endpoint-status/change-endpoint.ts';
import type { ChangeClaim } from '../idempotency/change-claim.ts';
import { revealSecrets, type Sealer } from '../resources/endpoint-secrets.ts';
import { checkTenantExists } from '../resources/tenant-exists.ts';

export interface SecretActionsDeps extends ConfigurationDeps {
  secretBox: Sealer;
  toResource: (endpoint: EndpointDocument) => EndpointResource;
}

/** Reveals the signing secrets of an endpoint, and ends previous ones early (CT-2). */
export class SecretActions {
  private readonly deps: SecretActionsDeps;

  constructor(deps: SecretActionsDeps) {
    this.deps = deps;
  }

  /** @throws PosthornError POSTHORN_TENANT_UNKNOWN, POSTHORN_RESOURCE_UNKNOWN */
  async reveal(tenant: string, id: string): Promise<RevealedSecrets> {
    const { configuration, secretBox, clock } = this.deps;
    const endpoint = await configuration.endpoints.findOne({ _id: id, tenant });
    if (endpoint === null) {
      await checkTenantExists(configuration, tenant);
      throw notFound('endpoint', id);
    }
    return { data: revealSecrets(secretBox, endpoint, new Date(clock.wallMs())) };
  }

  /** Ends every secret but the newest: webhooks sent from now on carry its signature alone. */
  expirePrevious(
    endpoint: EndpointToChange,
    claim?: ChangeClaim<EndpointResource>,
  ): Promise<EndpointResource> {
    return changeEndpoint(this.deps, endpoint, withoutPrevious, this.deps.toResource, claim);
  }
}

function withoutPrevious({ secrets }: EndpointDocument): Partial<EndpointDocument> | undefined {
  return secrets.length > 1 ? { secrets: secrets.slice(0, 1) } : undefined;
}
