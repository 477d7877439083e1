/**
 * Adds the `data` of large events to their webhooks (IN-12): inline, or as a link that is created
 * for each attempt.
 *
 * Deliveries of one event that follow each other closely share one read. A byte budget bounds the
 * memory of running attempts: each counts its payload and the copies made of it.
 */
import { createHash } from 'node:crypto';
import { ByteBudget } from '#domain/bounds/byte-budget.ts';
import { PayloadDamagedError, type PayloadStore } from '#infra/payload-store.ts';
import type { EndpointSnapshot } from '#wire/config-snapshot.ts';
import type { EventFrame, PayloadRef } from '#wire/frames/event-frame.ts';
import type { PayloadLinks } from '#wire/webhook/payload-link.ts';
import type { OutboundEvent } from '#wire/webhook/webhook-request.ts';
import { ByteCache } from './byte-cache.ts';

const CACHE_BYTES_MAX = 64 * 1024 * 1024;
/** The payload and the body; as base64, the body is a third larger. */
const COPIES = 3;

export interface PayloadsDeps {
  store: PayloadStore;
  links: PayloadLinks;
  /** Undefined: there are no links, and every payload is sent inline. */
  publicUrl: string | undefined;
  linkMs: number;
  /** Objects are kept no longer than their events. */
  retentionMs: number;
  memoryBytesMax: number;
  now: () => number;
}

/** `lost`: the object is missing or damaged. `no_room`: other attempts use all the memory. */
export type Attached =
  | { kind: 'ready'; event: OutboundEvent; release: () => void }
  | { kind: 'lost'; reason: 'payload_missing' | 'payload_damaged' }
  | { kind: 'no_room' };

export class Payloads {
  private readonly deps: PayloadsDeps;
  private readonly budget: ByteBudget;
  private readonly cache = new ByteCache<Buffer>({
    bytesMax: CACHE_BYTES_MAX,
    sizeOf: ({ length }) => length,
  });

  constructor(deps: PayloadsDeps) {
    this.deps = deps;
    this.budget = new ByteBudget(deps.memoryBytesMax);
  }

  /**
   * Returns the event in the form that the endpoint gets. Call `release` when the attempt has
   * ended.
   *
   * @throws if the store does not answer
   */
  async attach(
    tenant: string,
    event: EventFrame,
    ref: PayloadRef,
    endpoint: EndpointSnapshot,
  ): Promise<Attached> {
    if (this.goesAsLink(ref, endpoint)) return this.attachLink(event, ref);
    const release = this.budget.tryTake(tenant, COPIES * ref.size);
    if (release === undefined) return { kind: 'no_room' };
    try {
      const data = await this.cache.get(tenant, ref.key, () => this.read(ref));
      if (data !== undefined) return { kind: 'ready', event: { ...event, data }, release };
      release();
      return { kind: 'lost', reason: 'payload_missing' };
    } catch (error) {
      release();
      if (error instanceof PayloadDamagedError) return { kind: 'lost', reason: 'payload_damaged' };
      throw error;
    }
  }

  private goesAsLink({ size }: PayloadRef, endpoint: EndpointSnapshot): boolean {
    if (this.deps.publicUrl === undefined) return false;
    return endpoint.payload === 'url' || size > (endpoint.payloadInlineMaxBytes ?? Infinity);
  }

  /**
   * Puts a link in the place of `data`; it begins with `/v1` if there is no public URL.
   *
   * @throws if the store does not answer
   */
  async attachLink(
    event: EventFrame,
    ref: PayloadRef,
  ): Promise<Exclude<Attached, { kind: 'no_room' }>> {
    const { store, links, publicUrl, linkMs, retentionMs } = this.deps;
    if ((await store.size(ref.key)) === undefined)
      return { kind: 'lost', reason: 'payload_missing' };
    const goneMs = event.head.acceptedMs + retentionMs;
    const expiresAtMs = Math.min(this.deps.now() + linkMs, goneMs);
    const link = links.make(publicUrl ?? '', ref.key, expiresAtMs);
    return { kind: 'ready', event: { ...event, link }, release: () => {} };
  }

  private async read(ref: PayloadRef): Promise<Buffer | undefined> {
    const stored = await this.deps.store.get(ref.key);
    if (stored === undefined) return undefined;
    const { bytes } = stored;
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    if (bytes.length !== ref.size || sha256 !== ref.sha256) throw new PayloadDamagedError(ref.key);
    return bytes;
  }
}
