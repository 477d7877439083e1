/**
 * Validates every resource with the provider of AWS: names of fields, values of enumerations, forms
 * of ARNs and policies. `npm run check:provider` runs it. It needs `terraform` and the provider
 * hashicorp/aws, fetched or from a folder (`TF_CLI_ARGS_init=-plugin-dir=…`).
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { promisify } from 'node:util';
import { recordPlatform } from './kit/record-platform.ts';
import { type ResourceSchemas, type SchemaBlock, terraformOf } from './kit/terraform-resources.ts';

const directory = await mkdtemp(join(tmpdir(), 'posthorn-provider-'));
after(() => rm(directory, { recursive: true, force: true }));

async function terraform(...args: string[]): Promise<string> {
  const options = { cwd: directory, timeout: 300_000, maxBuffer: 100 * 2 ** 20 };
  const { stdout } = await promisify(execFile)('terraform', args, options);
  return stdout;
}

async function schemasOfProvider(): Promise<ResourceSchemas | undefined> {
  const main = {
    terraform: { required_providers: { aws: { source: 'hashicorp/aws' } } },
    provider: { aws: { region: 'eu-central-1', skip_requesting_account_id: true } },
  };
  await writeFile(join(directory, 'main.tf.json'), JSON.stringify(main));
  try {
    await terraform('init', '-no-color', '-input=false');
  } catch {
    return undefined;
  }
  const { provider_schemas: providers } = JSON.parse(
    await terraform('providers', 'schema', '-json'),
  ) as { provider_schemas: Record<string, { resource_schemas: ResourceSchemas }> };
  return Object.values(providers)[0]?.resource_schemas;
}

const schemas = await schemasOfProvider();
const skip = schemas === undefined && 'terraform or its provider hashicorp/aws is not here';

/** What Pulumi's provider, which is newer than some that are at hand, has beyond them. */
function knownOf(body: Record<string, unknown>, { attributes, block_types }: SchemaBlock) {
  const entries = Object.entries(body);
  return Object.fromEntries(
    entries.filter(([key]) => key in (attributes ?? {}) || key in (block_types ?? {})),
  );
}

const NEWER: readonly string[] = ['aws_eks_cluster.deletion_protection'];

const cases: readonly (readonly [string, Record<string, string>])[] = [
  [
    'prod',
    { mongodbMode: 'operator', interfaceEndpoints: 'true', apiClientCidrs: '["10.1.0.0/16"]' },
  ],
  ['dev', { mongodbEndpointService: 'com.amazonaws.vpce.eu-central-1.vpce-svc-0a1b2c3d4e' }],
  ['stage', { recoveryRegion: 'eu-west-1' }],
  ['prod-recovery', {}],
];
for (const [stack, changes] of cases) {
  test(`${stack}: the provider takes every resource`, { skip }, async () => {
    assert.ok(schemas);
    const { resources } = await recordPlatform(stack, changes);
    const { resource } = terraformOf(resources, schemas);
    for (const [type, named] of Object.entries(resource)) {
      for (const [name, body] of Object.entries(named)) {
        const known = knownOf(body, schemas[type]?.block ?? {});
        const unknown = Object.keys(body).filter((key) => !(key in known));
        const faults = unknown.filter((key) => !NEWER.includes(`${type}.${key}`));
        assert.deepEqual(faults, [], `${type} ${name}`);
        named[name] = known;
      }
    }
    assert.ok(Object.keys(resource).length > 30);
    // `${` would begin an expression.
    const text = JSON.stringify({ resource }).replaceAll('${', '$${');
    await writeFile(join(directory, 'resources.tf.json'), text);
    const answer = JSON.parse(
      await terraform('validate', '-json').catch((error: { stdout: string }) => error.stdout),
    ) as { valid: boolean; diagnostics: { severity: string; summary: string; detail: string }[] };
    const errors = answer.diagnostics.filter(({ severity }) => severity === 'error');
    assert.deepEqual(errors, []);
    assert.equal(answer.valid, true);
  });
}
