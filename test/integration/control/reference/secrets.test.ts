import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startControlPlane } from '../control-plane.ts';

interface Schema {
  $ref?: string;
  properties?: Record<string, Schema>;
  items?: Schema;
  additionalProperties?: Schema | boolean;
  anyOf?: Schema[];
  oneOf?: Schema[];
  allOf?: Schema[];
  writeOnly?: boolean;
}

interface Operation {
  operationId: string;
  responses: Record<string, { content?: Record<string, { schema: Schema }> }>;
}

interface Document {
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Schema> };
}

const SECRET_NAME = /secret|token|password|private|^key$|^value$|cookie|authorization|^headers$/;

/** The answers that create or reveal a secret. */
const REVEALED = new Set([
  'createEndpoint /secret',
  'createKey /key',
  'createPortalToken /token',
  'createSession /csrf_token',
  'getSession /csrf_token',
  'listEndpointSecrets /data/*/secret',
  'rotateEndpointSecret /secret',
  'rotateKey /key',
]);
/** Facts about secrets, which are none themselves. */
const FACTS = new Set([
  'signing_secrets',
  'token_url',
  'token_auth_method',
  'response_headers',
  'header_names',
]);

test('no answer has a secret but the one that creates or reveals it', async (t) => {
  const plane = await startControlPlane(t);
  const { paths, components } = (await plane.call('GET', '/openapi.json')).body as Document;
  const found = new Set<string>();
  let walked = 0;
  const walk = (schema: Schema, at: string, operation: string, seen: string[]): void => {
    walked += 1;
    const name = schema.$ref?.split('/').at(-1);
    if (name !== undefined) {
      const target = components.schemas[name];
      assert.ok(target, name);
      if (!seen.includes(name)) walk(target, at, operation, [...seen, name]);
      return;
    }
    for (const [member, of] of Object.entries(schema.properties ?? {})) {
      const isSecret = SECRET_NAME.test(member) && !FACTS.has(member);
      if (isSecret) found.add(`${operation} ${at}/${member}`);
      assert.notEqual(of.writeOnly, true, `${operation} ${at}/${member} is only written`);
      walk(of, `${at}/${member}`, operation, seen);
    }
    const further = [schema.anyOf, schema.oneOf, schema.allOf].flatMap((each) => each ?? []);
    for (const each of further) walk(each, at, operation, seen);
    if (schema.items !== undefined) walk(schema.items, `${at}/*`, operation, seen);
    const { additionalProperties: rest } = schema;
    if (typeof rest === 'object') walk(rest, `${at}/*`, operation, seen);
  };
  for (const operation of Object.values(paths).flatMap((methods) => Object.values(methods))) {
    for (const [status, { content = {} }] of Object.entries(operation.responses ?? {})) {
      if (!status.startsWith('2')) continue;
      for (const { schema } of Object.values(content)) walk(schema, '', operation.operationId, []);
    }
  }
  assert.ok(walked > 500, `${walked} schemas`);
  assert.deepEqual([...found].toSorted(), [...REVEALED].toSorted());
});

test('no read shows a secret that was given', async (t) => {
  const plane = await startControlPlane(t);
  const path = '/v1/tenants/secretive';
  await plane.call('PUT', path, {});
  const secret = `whsec_${Buffer.alloc(32, 'q').toString('base64')}`;
  const marks = [secret, 'hidden-header-value', 'hidden-token', 'phk_'];
  const made = await plane.call('POST', `${path}/endpoints`, {
    url: 'https://example.com/hook',
    secret,
    headers: { 'x-hidden': 'hidden-header-value' },
    credentials: { type: 'bearer', token: 'hidden-token' },
  });
  assert.equal(made.status, 201, made.text);
  assert.ok(made.text.includes(secret));
  const key = await plane.call('POST', '/v1/keys', { scope: 'tenant', tenant_id: 'secretive' });
  const patched = await plane.call('PATCH', `${path}/endpoints/${made.body.id}`, {
    description: 'x',
  });
  const reads = [
    `${path}/endpoints`,
    `${path}/endpoints/${made.body.id}`,
    `${path}/subscriptions`,
    path,
    '/v1/tenants',
    '/v1/keys',
    `/v1/keys/${key.body.id}`,
    '/v1/event-types',
  ];
  const answers = [patched, ...(await Promise.all(reads.map((read) => plane.call('GET', read))))];
  for (const [index, { status, text }] of answers.entries()) {
    assert.equal(status, 200, text);
    for (const mark of marks) assert.ok(!text.includes(mark), `${reads[index - 1]}: ${mark}`);
  }
});
