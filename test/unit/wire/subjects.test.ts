import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lifeIdOf } from '#domain/tenant.ts';
import * as fc from 'fast-check';
import {
  PARTITIONS,
  configKeys,
  consumers,
  decodeEventType,
  encodeEventType,
  fnv1a32,
  parseConfigKey,
  parseDeliverySubject,
  parseEventSubject,
  parseRequestSubject,
  partitionOf,
  shardOf,
  shardSubjects,
  subjects,
  subjectsOfLife,
  tenantOfLane,
} from '#wire/subjects.ts';
import { eventType, tenantId } from '../../property/arbitrary-event.ts';

const endpointId = fc.stringMatching(/^ep_[0-9a-z]{26}$/);
const deliveryId = fc.stringMatching(/^dlv_[\w-]{26}$/);

test('FNV-1a gives the published vectors (http://www.isthe.com/chongo/src/fnv/test_fnv.c)', () => {
  const vectors: [string, number][] = [
    ['', 0x811c9dc5],
    ['a', 0xe40c292c],
    ['b', 0xe70c2de5],
    ['foo', 0xa9f37ed7],
    ['foobar', 0xbf9cf968],
    ['chongo was here!\n', 0xd49930d5],
  ];
  for (const [text, hash] of vectors) assert.equal(fnv1a32(text), hash, JSON.stringify(text));
});

test('a partition is the hash modulo 256 and stays in its range', () => {
  assert.equal(partitionOf('foobar'), 0x68);
  fc.assert(
    fc.property(tenantId, (tenant) => {
      const partition = partitionOf(tenant);
      assert.ok(Number.isInteger(partition) && partition >= 0 && partition < PARTITIONS);
    }),
  );
});

test('each partition is in exactly one shard, that of shardOf, for every number of shards', () => {
  for (let shards = 1; shards <= 64; shards++) {
    const owners = new Map<string, number>();
    for (let shard = 0; shard < shards; shard++) {
      for (const subject of shardSubjects('ev', shard, shards)) {
        assert.ok(!owners.has(subject), `${subject} twice with ${shards} shards`);
        owners.set(subject, shard);
      }
    }
    assert.equal(owners.size, PARTITIONS);
    for (const tenant of ['a', 'acme', 'T-1_x', 'z'.repeat(64)]) {
      assert.equal(owners.get(`ev.${partitionOf(tenant)}.>`), shardOf(tenant, shards));
    }
  }
});

test('an event subject is parsed back into its parts', () => {
  fc.assert(
    fc.property(tenantId, eventType, (tenant, type) => {
      const subject = subjects.event(tenant, type);
      assert.deepEqual(parseEventSubject(subject), { tenant, type });
      assert.ok(subject.startsWith(`ev.${partitionOf(tenant)}.`));
    }),
  );
});

test('an encoded event type is decoded to its original, and a plain type is not encoded', () => {
  assert.equal(encodeEventType('order.created-v_1'), 'order.created-v_1');
  assert.equal(encodeEventType('a/b:c'), 'a=2Fb=3Ac');
  assert.equal(encodeEventType('..ü'), '=2E.=C3=BC');
  fc.assert(
    fc.property(eventType, (type) => {
      const encoded = encodeEventType(type);
      assert.equal(decodeEventType(encoded), type);
      // The keys that a bucket accepts (nats.go, `validKeyRe`), and no token is empty.
      assert.match(encoded, /^[-/=\w]+(\.[-/=\w]+)*$/);
      const { kind, name } = parseConfigKey(configKeys.eventType(type));
      assert.deepEqual({ kind, name }, { kind: 'type', name: type });
    }),
  );
});

test('a producer over NATS may write a type unencoded', () => {
  const parsed = parseRequestSubject('in.acme.com.example/order:created');
  assert.deepEqual(parsed, { tenant: 'acme', type: 'com.example/order:created' });
  assert.equal(parseRequestSubject('in.acme.a=20b').type, 'a b');
});

test('a delivery subject is parsed back in every class, in its longer forms too', () => {
  fc.assert(
    fc.property(tenantId, endpointId, deliveryId, (tenant, endpoint, delivery) => {
      for (const deliveryClass of ['h', 's', 't'] as const) {
        const parsed = parseDeliverySubject(subjects.delivery(tenant, endpoint, deliveryClass));
        assert.deepEqual(parsed, { deliveryClass, tenant, endpoint });
      }
      const waiting = subjects.waiting(tenant, endpoint, delivery);
      assert.deepEqual(parseDeliverySubject(waiting), { deliveryClass: 'w', tenant, endpoint });
      const held = subjects.held(tenant, endpoint);
      assert.deepEqual(parseDeliverySubject(held), { deliveryClass: 'x', tenant, endpoint });
    }),
  );
});

test('no subject has an empty or a wildcard token, so that each can be published to', () => {
  fc.assert(
    fc.property(tenantId, eventType, endpointId, deliveryId, (tenant, type, endpoint, delivery) => {
      for (const subject of [
        subjects.event(tenant, type),
        subjects.delivery(tenant, endpoint),
        subjects.waiting(tenant, endpoint, delivery),
        subjects.held(tenant, endpoint),
        subjects.deadLetter(tenant, endpoint),
        subjects.records(3),
      ]) {
        assert.match(subject, /^[^.\s*>]+(\.[^.\s*>]+)*$/);
      }
    }),
  );
});

test('consumer names of lanes of different tenants differ by more than case', () => {
  fc.assert(
    fc.property(tenantId, tenantId, (one, other) => {
      assert.equal(tenantOfLane(consumers.lane(one)), one);
      if (one === other) return;
      assert.notEqual(consumers.lane(one).toLowerCase(), consumers.lane(other).toLowerCase());
    }),
  );
  assert.notEqual(consumers.lane('Acme').toLowerCase(), consumers.lane('acme').toLowerCase());
  assert.equal(tenantOfLane(consumers.deliverShared), undefined);
  // nats-server: no white space, dots, wildcards and path separators, at most 255 characters.
  assert.match(consumers.lane('A'.repeat(64)), /^[^.\s*>/\\]{1,255}$/);
});

test('all lives of a tenant are in one partition', () => {
  for (const id of ['acme', 'globex', 'a']) {
    assert.equal(partitionOf(lifeIdOf({ id, life: 3 })), partitionOf(id));
  }
});

test('a life id is parsed back from subjects and from the name of a lane', () => {
  const lifeId = lifeIdOf({ id: 'Acme-1', life: 7 });
  assert.equal(parseEventSubject(subjects.event(lifeId, 'order.created')).tenant, lifeId);
  const waiting = subjects.waiting(lifeId, 'ep_1', 'dlv_1');
  assert.deepEqual(parseDeliverySubject(waiting), {
    deliveryClass: 'w',
    tenant: lifeId,
    endpoint: 'ep_1',
  });
  assert.equal(tenantOfLane(consumers.lane(lifeId)), lifeId);
});

test('the subjects of a life cover all its stored data, and no data of another life', () => {
  const stored = (id: string): string[] => [
    subjects.event(id, 'order.created'),
    subjects.delivery(id, 'ep_1', 'h'),
    subjects.waiting(id, 'ep_1', 'dlv_1'),
    subjects.held(id, 'ep_1'),
    subjects.ordered(id, 'ep_1'),
    subjects.deadLetter(id, 'ep_1'),
    subjects.rejected(id),
    subjects.firstEvent(id, 'digest'),
    `$KV.ORDERED.${id}.ep_1`,
  ];
  const lives = ['acme', 'acme=1', 'acme=11', 'acm', 'acme1'];
  for (const life of lives) {
    const filters = subjectsOfLife(life, 4).map(({ filter }) => filter);
    for (const other of lives) {
      for (const subject of stored(other)) {
        const isCovered = filters.some((filter) => covers(filter, subject));
        assert.equal(isCovered, other === life, `${subject} by the subjects of ${life}`);
      }
    }
  }
});

/** As nats-server matches a subject against a filter. */
function covers(filter: string, subject: string): boolean {
  const tokens = subject.split('.');
  const wanted = filter.split('.');
  const last = wanted.at(-1);
  if (last === '>' ? tokens.length < wanted.length : tokens.length !== wanted.length) return false;
  return wanted.every((each, i) => each === '>' || each === '*' || each === tokens[i]);
}
