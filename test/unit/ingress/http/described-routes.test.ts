import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fastify } from 'fastify';
import { registerIngressRoutes, type IngressRoutesDeps } from '#src/ingress/http/routes.ts';
import { publishRoutes } from '#wire/api/events-ingress.ts';

test('the reference describes the routes that ingress registers', async () => {
  const app = fastify();
  const registered: string[] = [];
  app.addHook('onRoute', ({ method, url }) => {
    registered.push(`${String(method)} ${url}`);
  });
  registerIngressRoutes(app, { eventBytesMax: 1024 } as IngressRoutesDeps);
  await app.ready();
  const described = Object.keys(publishRoutes).map((url) => `POST ${url}`);
  assert.deepEqual(registered.toSorted(), described.toSorted());
});
