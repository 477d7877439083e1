import assert from 'node:assert/strict';
import { test } from 'node:test';
import { recordPlatform, runPlatform } from './kit/record-platform.ts';
import { stacks } from '../stack-file.ts';

const identity = ({ type, name }: { type: string; name: string }): string => `${type}::${name}`;

for (const stack of stacks) {
  const { resources } = await recordPlatform(stack);
  const again = await runPlatform(stack);

  test(`${stack}: the program requests the same resources in every run`, () => {
    const [first, second] = [resources, again.resources].map((run) =>
      run.toSorted((one, other) => (identity(one) < identity(other) ? -1 : 1)),
    );
    assert.ok(resources.length > 80);
    assert.deepEqual(first, second);
  });

  test(`${stack}: no two resources share a name`, () => {
    const identities = resources.map(identity);
    assert.equal(new Set(identities).size, identities.length);
  });

  test(`${stack}: every resource uses a provider that the program configured`, () => {
    for (const { type, name, provider } of resources) {
      if (type.startsWith('pulumi:providers:')) continue;
      assert.match(provider, /^(home|recovery|argocd)$/, `${type} ${name}`);
    }
    const providers = resources.filter(({ type }) => type === 'pulumi:providers:aws');
    for (const { inputs } of providers) {
      assert.equal(inputs['allowedAccountIds'], '["123456789012"]');
    }
  });
}
