/** Answers to events whose tenant's life ends while they are being stored. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '#testkit/test-clock.ts';
import type { PosthornError } from '#domain/errors.ts';
import type { Publication, Published } from '#infra/nats/publish/publisher.ts';
import { type AcceptDeps, AcceptEvent } from '#src/ingress/accept/accept-event.ts';
import type { Accepted } from '#src/ingress/accept/accepted.ts';
import type { TenantSnapshot } from '#wire/config-snapshot.ts';

const tenant: TenantSnapshot = {
  v: 1,
  id: 'acme',
  life: 2,
  rev: 1,
  weight: 1,
  endpoints: [],
  subscriptions: [],
};

interface Offered {
  publication: Publication;
  published: Published;
  answer: Promise<PosthornError | Accepted>;
}

/** Offers an event; its PubAck comes when the test says so. */
function offer(view: AcceptDeps['view']): Offered {
  let offered: Pick<Offered, 'publication' | 'published'> | undefined;
  const accept = new AcceptEvent({
    admission: { admit: () => 'normal' },
    payloads: { isLarge: () => false },
    deduplication: { formulaOf: () => undefined },
    window: {
      publish(_tenant: string, publication: Publication, published: Published) {
        offered = { publication, published };
        return true;
      },
    },
    results: { count: () => undefined },
    storage: {
      check: () => undefined,
      notePublication: () => undefined,
      noteRefusal: () => undefined,
    },
    view,
    eventBytesMax: 1024,
    publishTimeoutMs: 1000,
    clock: new ManualClock({ wall: 0, monotonic: 0 }),
  } as unknown as AcceptDeps);
  const answer = new Promise<PosthornError | Accepted>((resolve) => {
    const input = { type: 'order.created', kind: 'json' as const, data: '{}' };
    accept.accept(tenant, input, 'req_1', false, (error, accepted) => {
      resolve(accepted ?? (error as PosthornError));
    });
  });
  return { ...(offered as Pick<Offered, 'publication' | 'published'>), answer };
}

const ack = { seq: 1, duplicate: false };

test('an event is stored under the life that its tenant has', async () => {
  const { publication, published, answer } = offer({
    isCurrent: (of) => of === tenant,
    confirm: () => assert.fail('its life is known to be current'),
  });
  assert.match(publication.subject, /^ev\.\d+\.acme=2\.order\.created$/);
  assert.match(publication.messageId, /^acme=2:evt_/);
  published(undefined, ack);
  assert.equal('id' in (await answer), true);
});

test('rejects an event with POSTHORN_PUBLISH_NOT_ACKED when its life has ended by its PubAck', async () => {
  let isCurrent = true;
  const { published, answer } = offer({
    isCurrent: () => isCurrent,
    confirm: async () => isCurrent,
  });
  isCurrent = false;
  published(undefined, ack);
  assert.equal(((await answer) as PosthornError).code, 'POSTHORN_PUBLISH_NOT_ACKED');
});

test('rejects a repeat with POSTHORN_PUBLISH_NOT_ACKED when its life has ended by its PubAck', async () => {
  const { published, answer } = offer({ isCurrent: () => false, confirm: async () => false });
  published(undefined, { seq: 1, duplicate: true });
  assert.equal(((await answer) as PosthornError).code, 'POSTHORN_PUBLISH_NOT_ACKED');
});

test('an event is accepted without a lease when the bucket confirms its life', async () => {
  const { published, answer } = offer({ isCurrent: () => false, confirm: async () => true });
  published(undefined, ack);
  assert.equal('id' in (await answer), true);
});

test('rejects an event with POSTHORN_NATS_UNAVAILABLE when nothing confirms its life', async () => {
  const { published, answer } = offer({
    isCurrent: () => false,
    confirm: () => Promise.reject(new Error('timeout')),
  });
  published(undefined, ack);
  assert.equal(((await answer) as PosthornError).code, 'POSTHORN_NATS_UNAVAILABLE');
});
