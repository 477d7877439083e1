import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { MongoClient } from 'mongodb';
import { startSystem } from '#testkit/system.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { WebhookReceiver } from '#testkit/webhook-receiver.ts';

const SECRETS = {
  client: 'client-secret-0123456789',
  token: 'access-token-0123456789',
  header: 'header-value-0123456789',
};

/** The contents of every stream and bucket, including old values that are not purged. */
async function allOfNats(url: string): Promise<string> {
  const nc = await connect({ servers: url });
  try {
    const jsm = await jetstreamManager(nc);
    const texts: string[] = [];
    for await (const { config, state } of jsm.streams.list()) {
      for (let seq = state.first_seq; seq <= state.last_seq; seq++) {
        const message = await jsm.streams.getMessage(config.name, { seq }).catch(() => null);
        if (message !== null) texts.push(Buffer.from(message.data).toString());
      }
    }
    return texts.join('\n');
  } finally {
    await nc.close();
  }
}

async function allOfMongodb(url: string): Promise<string> {
  const mongo = new MongoClient(url);
  try {
    const texts: string[] = [];
    const { databases } = await mongo.db().admin().listDatabases();
    for (const { name } of databases.filter((one) => one.name.startsWith('posthorn'))) {
      for (const collection of await mongo.db(name).collections()) {
        texts.push(JSON.stringify(await collection.find().toArray()));
      }
    }
    return texts.join('\n');
  } finally {
    await mongo.close();
  }
}

test(
  'a webhook carries its credentials, and no store contains a secret in plain text',
  { timeout: 400_000 },
  async (t) => {
    const receiver = await WebhookReceiver.start();
    const system = await startSystem([['ingress', 'router', 'control'], ['delivery']]);
    t.after(async () => {
      await system.stop();
      await receiver.close();
    });
    receiver.on('/token', { status: 200, body: JSON.stringify({ access_token: SECRETS.token }) });
    // The receiver echoes the request headers.
    receiver.on('/hook', ({ headers }) => ({ status: 200, body: JSON.stringify(headers) }));
    await system.api('PUT', '/v1/tenants/acme', {});
    const made = await system.api('POST', '/v1/tenants/acme/endpoints', {
      url: receiver.url('/hook'),
      headers: { 'x-api-key': SECRETS.header },
      credentials: {
        type: 'oauth2',
        token_url: receiver.url('/token'),
        client_id: 'posthorn',
        client_secret: SECRETS.client,
      },
    });
    assert.equal(made.status, 201, JSON.stringify(made.body));
    const event = { id: 'e1', type: 'a.b', data: {} };
    await system.api('POST', '/v1/tenants/acme/events', event);
    const [webhook] = await receiver.waitFor(1, '/hook', 20_000);
    assert.equal(webhook?.headers['authorization'], `Bearer ${SECRETS.token}`);
    assert.equal(webhook.headers['x-api-key'], SECRETS.header);
    await waitUntil(
      async () => {
        const { body } = await system.api('GET', '/v1/tenants/acme/deliveries?status=delivered');
        return (body as { data: unknown[] }).data.length === 1;
      },
      { what: 'the delivery in the history', deadlineMs: 20_000 },
    );
    const nats = await allOfNats(system.natsUrl);
    const mongodb = await allOfMongodb(system.mongodUrl);
    // The searched stores contain the attempt and its response.
    for (const store of [nats, mongodb]) assert.ok(store.includes('x-api-key'));
    for (const [name, secret] of Object.entries(SECRETS)) {
      assert.ok(!nats.includes(secret), `NATS holds the ${name}`);
      assert.ok(!mongodb.includes(secret), `MongoDB holds the ${name}`);
    }
  },
);
