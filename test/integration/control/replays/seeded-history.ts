import { deliveryId } from '#domain/ids.ts';
import type { DeliveryStatus } from '#domain/outcome/delivery.ts';
import {
  type DeliveryDocument,
  type EventDocument,
  eventKey,
  historyOf,
} from '#infra/mongo/documents.ts';
import { jetstreamManager } from '@nats-io/jetstream';
import { waitUntil } from '#testkit/wait-until.ts';
import { decodeDeliveryFrame } from '#wire/frames/delivery-frame.ts';
import { parseDeliverySubject, shardOf, streams } from '#wire/subjects.ts';
import { storedMessages } from '../../nats-core.ts';
import type { ControlPlane } from '../control-plane.ts';

/** A tenant with endpoints, and a history as the projector writes it. */
export interface SeededTenant {
  name: string;
  path: string;
  endpoint: string;
  addEndpoint(url?: string, fields?: object): Promise<string>;
  addEvent(id: string, fields?: Partial<EventDocument>): Promise<EventDocument>;
  addDelivery(
    event: string,
    status: DeliveryStatus,
    fields?: Partial<DeliveryDocument>,
  ): Promise<string>;
  /** The messages of the tenant in its stream of deliveries. */
  messages(): Promise<StoredDelivery[]>;
}

export interface StoredDelivery {
  deliveryClass: string;
  endpoint: string;
  head: ReturnType<typeof decodeDeliveryFrame>['head'];
  eventBytes: Buffer;
}

/** When the first seeded event was accepted. Event `e<n>` follows n seconds later. */
export const SEEDED_MS = Date.parse('2026-01-31T12:00:00.000Z');

export async function seedTenant(
  plane: ControlPlane,
  name: string,
  fields: object = {},
): Promise<SeededTenant> {
  const path = `/v1/tenants/${name}`;
  await plane.call('PUT', path, {});
  const history = historyOf(plane.db);
  const addEndpoint = async (url = 'https://example.com/', fields = {}): Promise<string> => {
    const made = await plane.call('POST', `${path}/endpoints`, { url, ...fields });
    const id = made.body.id as string;
    await waitUntil(() =>
      plane.config.currentTenant(name)?.endpoints.some((each) => each.id === id),
    );
    return id;
  };
  const endpoint = await addEndpoint(undefined, fields);
  return {
    name,
    path,
    endpoint,
    addEndpoint,
    async addEvent(id, fields = {}) {
      const event: EventDocument = {
        _id: eventKey(name, id),
        tenant: name,
        id,
        seq: 1,
        type: 'order.created',
        source: '/shop',
        time: '2026-01-31T12:00:00.000Z',
        kind: 'json',
        correlation_id: 'req_1',
        accepted_at: acceptedAt(id),
        data: '{"n":1.0}',
        routed: 1,
        ...fields,
      };
      await history.events.insertOne(event);
      return event;
    },
    async addDelivery(event, status, fields = {}) {
      const at = acceptedAt(event);
      const ofEndpoint = fields.endpoint ?? endpoint;
      const delivery: DeliveryDocument = {
        _id: deliveryId(name, event, ofEndpoint),
        tenant: name,
        event,
        endpoint: ofEndpoint,
        type: 'order.created',
        accepted_at: at,
        state: { hop: 1, rank: 0, status, reason: null, at, next_attempt_at: null },
        ...fields,
      };
      await history.deliveries.insertOne(delivery);
      return delivery._id;
    },
    async messages() {
      const jsm = await jetstreamManager(plane.nc);
      const stored = await storedMessages(jsm, streams.deliveries(shardOf(name, 1)));
      return stored.flatMap(({ subject, data }) => {
        const { tenant, deliveryClass, endpoint: of } = parseDeliverySubject(subject);
        if (tenant !== name) return [];
        return [{ deliveryClass, endpoint: of, ...decodeDeliveryFrame(data) }];
      });
    },
  };
}

function acceptedAt(event: string): Date {
  return new Date(SEEDED_MS + Number(/\d+$/.exec(event)?.[0] ?? 0) * 1000);
}
