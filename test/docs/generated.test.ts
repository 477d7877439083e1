import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  generatedParts,
  NATS_MIRRORED,
  NATS_USERS,
  NATS_USERS_SHARDS,
  replacePart,
} from './generated.ts';
import { mirroredValues } from '#infra/nats/access/format-mirror.ts';
import { natsUsersValues } from '#infra/nats/access/format-users.ts';
import { putChartSettings } from './chart-settings.ts';
import { projectText } from './project-files.ts';

for (const { document, name, make } of generatedParts) {
  test(`${document}: ${name} equals the output of the code`, () => {
    const text = projectText(document);
    assert.equal(text, replacePart(text, name, make()), 'run `npm run docs`');
  });
}

test('the users of NATS have the rights of the code', () => {
  assert.equal(projectText(NATS_USERS), natsUsersValues(NATS_USERS_SHARDS), 'run `npm run docs`');
});

test('the user for mirrors has the rights of the code', () => {
  assert.equal(projectText(NATS_MIRRORED), mirroredValues(NATS_USERS_SHARDS), 'run `npm run docs`');
});

test('the schema of the chart has the same settings as the code', () => {
  const text = projectText('charts/posthorn/values.schema.json');
  assert.equal(text, putChartSettings(text), 'run `npm run docs`');
});
