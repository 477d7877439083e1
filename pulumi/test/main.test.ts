/** The entry, as Pulumi would load it: configuration in, outputs out. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as pulumi from '@pulumi/pulumi';
import { stackConfig } from './kit/stack-settings.ts';
import { readStackFile } from '../stack-file.ts';

/** Each import of its own query is a separate run. */
async function load(run: string, config: Record<string, string>): Promise<Record<string, unknown>> {
  await pulumi.runtime.setMocks({
    newResource: ({ name, inputs }) => ({
      id: `${name}-id`,
      state: { ...inputs, endpoint: 'https://a.example.com', certificateAuthority: { data: '' } },
    }),
    call: ({ inputs }) => inputs,
  });
  pulumi.runtime.setAllConfig(config);
  try {
    return (await import(`../src/main.ts?${run}`)) as Record<string, unknown>;
  } finally {
    await pulumi.runtime.disconnect();
    pulumi.runtime.setAllConfig({});
  }
}

test('the entry exports the outputs of the configured stack', async () => {
  const outputs = await load('whole', stackConfig('dev'));
  assert.ok('egressAddresses' in outputs && 'kubeconfig' in outputs);
  for (const [name, value] of Object.entries(outputs)) {
    assert.ok(pulumi.Output.isInstance(value), name);
  }
});

test("rejects a stack without its owner's settings with a message and no stack trace", async () => {
  await assert.rejects(load('bare', readStackFile('dev')), (error: unknown) => {
    assert.ok(pulumi.RunError.isInstance(error));
    assert.match(error.message, /has 4 faults:\n {2}posthorn:accountId: is missing; allowed: /);
    assert.match(error.message, /posthorn:gitRepository: is missing/);
    return true;
  });
});
