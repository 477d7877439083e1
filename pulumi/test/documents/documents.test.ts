import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { allOf } from '../kit/find-resources.ts';
import { cloudDocument } from './generated-documents.ts';
import { recordPlatform } from '../kit/record-platform.ts';
import { settingTable } from '../../src/setting-table.ts';
import { stacks } from '../../stack-file.ts';

test('settings, costs and reasons in the document equal those in the code', () => {
  const { written, expected } = cloudDocument();
  assert.equal(written, expected, 'run `npm run docs` in pulumi/');
});

test('keys, stacks and outputs that the documents name exist', async () => {
  const guide = new URL('../../../docs/operations/install.md', import.meta.url);
  const written = cloudDocument().written + readFileSync(guide, 'utf8');
  const keys = [...written.matchAll(/pulumi config set --stack [a-z-]+ (\w+)/g)].map(
    ([, key]) => key,
  );
  assert.ok(keys.length > 4);
  for (const key of keys) assert.ok(Object.hasOwn(settingTable, key as string), key);
  for (const [, stack] of written.matchAll(/--stack ([a-z-]+)/g)) {
    assert.ok((stacks as readonly string[]).includes(stack as string), stack);
  }
  const { outputs } = await recordPlatform('dev');
  const named = [...written.matchAll(/pulumi stack output (?:--stack \S+ )?(?:--json )?(\w+)/g)];
  assert.ok(named.length > 1);
  for (const [, output] of named) assert.ok(Object.hasOwn(outputs, output as string), output);
});

test('the installation guide names the image repository as the program does', async () => {
  const guide = readFileSync(
    new URL('../../../docs/operations/install.md', import.meta.url),
    'utf8',
  );
  const { resources } = await recordPlatform('prod');
  const repositories = allOf(resources, 'ecr/repository:Repository');
  assert.ok(repositories.length > 0);
  for (const { inputs } of repositories) {
    const name = String(inputs['name']).replace('-prod', '-<name>');
    assert.ok(guide.includes(`.dkr.ecr.<region>.amazonaws.com/${name}\``), name);
  }
});

test('the program exports every output of the platform', async () => {
  const { outputs } = await recordPlatform('dev');
  const main = readFileSync(new URL('../../src/main.ts', import.meta.url), 'utf8');
  const exported = /export const \{([^}]*)\}/.exec(main)?.[1] ?? '';
  assert.deepEqual(
    exported
      .split(',')
      .map((name) => name.trim())
      .filter(Boolean)
      .toSorted(),
    Object.keys(outputs).toSorted(),
  );
});
