/** Reads large payloads by a signed link, or with an API key through their event (IN-12). */
import type { Clock } from '#domain/clock.ts';
import type { ByteBudget } from '#domain/bounds/byte-budget.ts';
import { PosthornError } from '#domain/errors.ts';
import { notFound } from '#domain/field-faults.ts';
import {
  PayloadDamagedError,
  type PayloadStore,
  type StoredPayload,
} from '#infra/payload-store.ts';
import type { ConfigView } from '#wire/config-snapshot.ts';
import { type PayloadLinks, lifeOfPayload } from '#wire/webhook/payload-link.ts';
import type { EventReads } from './event-reads.ts';

export interface PayloadReadsDeps {
  store: PayloadStore;
  links: PayloadLinks;
  events: Pick<EventReads, 'find'>;
  config: Pick<ConfigView, 'tenant' | 'eventType'>;
  budget: ByteBudget;
  clock: Clock;
}

/** Call `release` when the answer is sent. */
export type ReadPayload = StoredPayload & { release: () => void };

export class PayloadReads {
  private readonly deps: PayloadReadsDeps;

  constructor(deps: PayloadReadsDeps) {
    this.deps = deps;
  }

  /**
   * @throws PosthornError POSTHORN_PAYLOAD_LINK_INVALID, POSTHORN_PAYLOAD_GONE,
   * POSTHORN_OVERLOADED, POSTHORN_NATS_UNAVAILABLE
   */
  async byLink(key: string, expires: string, signature: string): Promise<ReadPayload> {
    const { links, clock } = this.deps;
    const validity = links.check(key, expires, signature, clock.wallMs());
    if (validity === 'invalid') throw new PosthornError('POSTHORN_PAYLOAD_LINK_INVALID');
    if (validity === 'expired') {
      throw new PosthornError('POSTHORN_PAYLOAD_GONE', { detail: 'the link has expired' });
    }
    const lifeId = lifeOfPayload(key);
    if (lifeId !== undefined && this.deps.config.tenant(lifeId) === undefined) {
      throw gone('its tenant was deleted');
    }
    return this.read(key);
  }

  /**
   * @throws PosthornError POSTHORN_RESOURCE_UNKNOWN, POSTHORN_TENANT_UNKNOWN, POSTHORN_DATA_HIDDEN,
   * and the errors of `byLink`
   */
  async ofEvent(lifeId: string, eventId: string): Promise<ReadPayload> {
    const event = await this.deps.events.find(lifeId, eventId);
    if (event.payload === undefined) {
      throw notFound('payload of the event', eventId, 'its data is part of the event');
    }
    if (this.deps.config.eventType(event.type ?? '')?.sensitive === true) {
      throw new PosthornError('POSTHORN_DATA_HIDDEN');
    }
    return this.read(event.payload.key);
  }

  private async read(key: string): Promise<ReadPayload> {
    const { store, budget } = this.deps;
    let release: (() => void) | undefined;
    try {
      const size = await store.size(key);
      if (size === undefined) throw gone('it has expired or was removed');
      release = budget.tryTake(ownerOf(key), size);
      if (release === undefined) throw new PosthornError('POSTHORN_OVERLOADED');
      const stored = await store.get(key);
      if (stored === undefined) throw gone('it has expired or was removed');
      return { ...stored, release };
    } catch (error) {
      release?.();
      if (error instanceof PosthornError) throw error;
      if (error instanceof PayloadDamagedError) throw gone('it is damaged');
      throw new PosthornError('POSTHORN_NATS_UNAVAILABLE', { cause: error });
    }
  }
}

/** Returns the first part of a key: the tenant, or the common prefix of broadcasts. */
function ownerOf(key: string): string {
  return key.slice(0, Math.max(0, key.indexOf('/')));
}

function gone(detail: string): PosthornError {
  return new PosthornError('POSTHORN_PAYLOAD_GONE', { detail });
}
