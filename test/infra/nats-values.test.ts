/**
 * The values for the chart of NATS. That chart is not in this repository, so the test reads the
 * values instead of rendered objects.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse } from 'yaml';
import { NATS_USERS_SHARDS } from '../docs/generated.ts';
import { projectText } from '../docs/project-files.ts';
import { at } from './manifests.ts';

const values: unknown = parse(projectText('charts/nats/values.yaml'));

test('three brokers run, one in each zone, and sync each write to disk', () => {
  assert.deepEqual(at(values, 'config', 'cluster', 'replicas'), 3);
  assert.equal(at(values, 'config', 'jetstream', 'merge', 'sync_interval'), 'always');
  const spreads = at(values, 'podTemplate', 'topologySpreadConstraints') as object;
  assert.deepEqual(Object.keys(spreads), ['topology.kubernetes.io/zone', 'kubernetes.io/hostname']);
  for (const spread of Object.values(spreads) as object[]) {
    assert.equal(at(spread, 'whenUnsatisfiable'), 'DoNotSchedule');
    assert.equal(at(spread, 'nodeTaintsPolicy'), 'Honor');
  }
});

test('the broker is restricted, has guaranteed resources, and limits its stores below them', () => {
  for (const container of ['container', 'reloader', 'promExporter']) {
    const security = at(values, container, 'merge', 'securityContext');
    assert.equal(at(security, 'readOnlyRootFilesystem'), true, container);
    assert.equal(at(security, 'allowPrivilegeEscalation'), false, container);
    assert.ok(at(values, container, 'merge', 'resources', 'limits', 'memory'), container);
  }
  const resources = at(values, 'container', 'merge', 'resources');
  assert.deepEqual(at(resources, 'requests'), at(resources, 'limits'), 'guaranteed');
  const memory = Number.parseInt(String(at(resources, 'limits', 'memory')), 10) * 1024;
  const goLimit = Number.parseInt(String(at(values, 'container', 'env', 'GOMEMLIMIT')), 10);
  assert.ok(goLimit <= memory * 0.8);
  const store = at(values, 'config', 'jetstream', 'fileStore');
  const size = (path: string[]): number => Number.parseInt(String(at(store, ...path)), 10);
  assert.ok(size(['maxSize']) < size(['pvc', 'size']));
  assert.equal(at(values, 'natsBox', 'enabled'), false);
});

test('connections are encrypted and authenticated, and the platform authorizes producers', () => {
  for (const part of ['nats', 'cluster']) {
    assert.equal(at(values, 'config', part, 'tls', 'enabled'), true, part);
  }
  const authorization = at(values, 'config', 'merge', 'authorization');
  assert.equal(at(authorization, 'users', 0, 'password'), '<< $POSTHORN_NATS_PASSWORD >>');
  assert.deepEqual(at(authorization, 'auth_callout', 'auth_users'), ['posthorn']);
});

const users: unknown = parse(projectText('charts/nats/users.yaml'));

test('the users of the roles replace the shared one, and each has a password', () => {
  const authorization = at(users, 'config', 'merge', 'authorization');
  const env = at(users, 'container', 'env') as Record<string, unknown>;
  assert.equal(env['POSTHORN_NATS_PASSWORD'], '');
  // The chart of NATS fails for anything else, null included ("env var must be string or map").
  for (const [name, value] of Object.entries(env)) {
    assert.ok(typeof value === 'string' || (typeof value === 'object' && value !== null), name);
  }
  const named = at(authorization, 'users') as { user: string; password: string }[];
  assert.deepEqual(
    named.map(({ user }) => user),
    at(authorization, 'auth_callout', 'auth_users'),
  );
  for (const { password } of named) {
    const variable = /^<< \$(\w+) >>$/.exec(password)?.[1] ?? '';
    assert.ok(at(env, variable, 'valueFrom', 'secretKeyRef', 'key'), password);
  }
});

for (const environment of ['dev', 'stage', 'prod']) {
  test(`${environment}: a roll-out changes one file`, () => {
    const folder = `argocd/environments/${environment}`;
    const image: unknown = parse(projectText(`${folder}/image.yaml`));
    assert.deepEqual(Object.keys(image as object), ['image']);
    assert.match(String(at(image, 'image', 'tag')), /^[0-9a-f]{40}$/);
    const posthorn: unknown = parse(projectText(`${folder}/posthorn.yaml`));
    assert.equal(at(posthorn, 'image'), undefined);
    const shards = at(posthorn, 'settings', 'POSTHORN_SHARDS') as number;
    assert.ok(shards <= NATS_USERS_SHARDS, 'the users of NATS have rights on every shard');
    const key = at(posthorn, 'externalSecret', 'remoteKey');
    const apps: unknown = parse(projectText(`${folder}/apps.yaml`));
    assert.equal(at(apps, 'remoteKey'), key);
    assert.equal(at(apps, 'environment'), environment);
  });
}
