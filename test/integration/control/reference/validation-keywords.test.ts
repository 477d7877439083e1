import assert from 'node:assert/strict';
import { test } from 'node:test';
import { faultCases } from '../../../unit/infra/http/server/fault-cases.ts';
import { startControlPlane } from '../control-plane.ts';
import { type Json, schemasOf } from './read-document.ts';

/** Keywords that no value breaks, and those whose parts report the error. */
const SILENT = new Set([
  '$ref',
  'default',
  'description',
  'examples',
  'items',
  'patternProperties',
  'properties',
  'title',
  'writeOnly',
]);
/** Bodies with CloudEvents are read by their own parser. */
const READ_BY_INGRESS = ['CloudEvent', 'NewEvent', 'NewEventBatch'];

test('every keyword of the request schemas has its own error text', async (t) => {
  const plane = await startControlPlane(t, { idle: true });
  const document = (await plane.call('GET', '/openapi.json')).body as Json;
  const described = new Set(faultCases.map(({ keyword }) => keyword));
  let seen = 0;
  for (const { schema, at } of schemasOf(document)) {
    const name = /^#\/components\/schemas\/(\w+)/.exec(at)?.[1];
    if (name !== undefined && READ_BY_INGRESS.includes(name)) continue;
    for (const keyword of Object.keys(schema)) {
      seen++;
      assert.ok(described.has(keyword) || SILENT.has(keyword), `${at}: ${keyword}`);
    }
  }
  assert.ok(seen > 1000, `${seen} keywords`);
});
