/**
 * Runs the program in the real engine: the plan, the state, and the refusals. It does not show
 * whether AWS accepts the resources. `npm run tools` builds the engine, once.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after as afterAll, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type SettingRule, settingTable } from '../src/setting-table.ts';
import { EXAMPLE_OWNER, readStackFile, stacks } from '../stack-file.ts';
import { stackConfig, stackSettings } from './kit/stack-settings.ts';
import { type StateResource, StubEngine, withoutEngine } from './kit/stub-engine.ts';

const skip = withoutEngine();
const engine = skip === false ? await StubEngine.start() : undefined;
afterAll(() => engine?.remove());

// Longer than any of it takes on a machine that has other work.
const timeout = 15 * 60_000;
/** The mark of the engine on an encrypted value. */
const ENCRYPTED = '4dabf18193072939515e22adb298388d';

const EGRESS = /posthorn-\w+-egress-\d.*protected/s;
const GUARDED = ['ec2/eip:Eip', 'kms/key:Key', 's3/bucket:Bucket', 'backup/vault:Vault'] as const;
/** The primary stack creates them for the recovery site too. */
const OF_PRIMARY: readonly string[] = ['ec2/eip:Eip', 's3/bucket:Bucket'];
const OUTPUTS = [
  'archiveBucket',
  'clusterName',
  'egress',
  'egressAddresses',
  'imageRepository',
  'kubeconfig',
  'mongodbPrivateEndpointId',
  'recoveryEgressAddresses',
  'recoveryEgressAllocationIds',
];

for (const name of stacks) {
  const environment = name.replace('-recovery', '');
  const isRecovery = name !== environment;
  test(`${name}: all is made, and then there is nothing to do`, { skip, timeout }, async (t) => {
    assert.ok(engine);
    const stack = await engine.stack(name, stackConfig(name));
    const plan = await stack.preview();
    const { create: planned = 0, ...others } = plan.changeSummary;
    assert.deepEqual(others, {});
    assert.ok(planned > 100, `${planned} are planned`);
    const made = await stack.up();
    assert.deepEqual(made.summary.resourceChanges, { create: planned });
    const again = await stack.preview();
    assert.deepEqual(again.changeSummary, { same: planned });
    const { resources, text } = await engine.written(name);
    const spare = stackSettings(name).spareEgressAddresses;

    await t.test('the outputs are there', () => {
      const { clusterName, egressAddresses, kubeconfig } = made.outputs;
      assert.deepEqual(Object.keys(made.outputs).toSorted(), OUTPUTS);
      assert.equal(clusterName?.value, `posthorn-${environment}`);
      assert.equal((egressAddresses?.value as string[] | undefined)?.length, 3 + spare);
      assert.match(String(kubeconfig?.value), /"current-context"/);
    });

    await t.test('secrets are encrypted in the state', () => {
      const secret = resources.find(({ type }) => type === 'kubernetes:core/v1:Secret');
      assert.ok(secret?.inputs && secret.outputs);
      for (const kept of [secret.inputs, secret.outputs]) {
        const { [ENCRYPTED]: mark, ciphertext } = kept['stringData'] as Record<string, string>;
        assert.ok(mark && ciphertext);
      }
      assert.ok(!text.includes('tlsClientConfig'), 'nothing of its content is there in clear');
    });

    await t.test('protected resources refuse to be deleted', async () => {
      const guarded = new Set(guardedOf(resources).map(({ type }) => type));
      for (const type of GUARDED) {
        const wanted = !isRecovery || !OF_PRIMARY.includes(type);
        assert.equal(guarded.has(`aws:${type}`), wanted, type);
      }
      assert.equal(guarded.has('aws:eks/cluster:Cluster'), environment === 'prod');
      const alone = await engine.madeStack(name);
      await assert.rejects(alone.previewDestroy(), /protected/);
    });

    if (spare === 0) return;
    await t.test('an address that leaves the configuration is not released', async () => {
      const fewer = await engine.stack(name, stackConfig(name, { spareEgressAddresses: '0' }));
      await assert.rejects(fewer.preview(), EGRESS);
    });
  });
}

const guardedOf = (resources: StateResource[]): StateResource[] =>
  resources.filter(({ protect }) => protect === true);

test('a destroy without a preview keeps protected resources', { skip, timeout }, async () => {
  assert.ok(engine);
  const before = await engine.written('prod');
  const alone = await engine.madeStack('prod');
  await assert.rejects(alone.destroy(), /protected/);
  const after = await engine.written('prod');
  const left = new Set(after.resources.map(({ urn }) => urn));
  const guarded = guardedOf(before.resources);
  assert.ok(guarded.length > 20);
  for (const { urn } of guarded) assert.ok(left.has(urn), urn);
});

/** The output of the engine for a configuration that it refuses. */
async function refusalOf(stack: string, config: Readonly<Record<string, string>>): Promise<string> {
  const script = fileURLToPath(new URL('kit/preview-stack.ts', import.meta.url));
  const args = [script, stack, JSON.stringify(config)];
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout });
  assert.match(stdout, /The configuration of this stack has \d+ faults:/);
  // Neither a resource nor a stack trace with it.
  assert.doesNotMatch(stdout, /\baws:|config\.ts:\d/);
  return stdout;
}

test('the engine names every missing key, with the allowed values', { skip, timeout }, async () => {
  const shown = await refusalOf('missing', readStackFile('prod'));
  for (const key of Object.keys(EXAMPLE_OWNER)) {
    const { allowed } = settingTable[key.replace('posthorn:', '') as keyof typeof settingTable];
    assert.ok(shown.includes(`${key}: is missing; allowed: ${allowed}`), key);
  }
});

test('the engine names every wrong key, with the allowed values', { skip, timeout }, async () => {
  const wrong = Object.keys(settingTable).map((key) => [`posthorn:${key}`, '?!'] as const);
  const shown = await refusalOf('wrong', Object.fromEntries(wrong));
  for (const [key, rule] of Object.entries<SettingRule>(settingTable)) {
    const value = rule.secret === true ? 'not of the allowed form' : '"?!"';
    assert.ok(shown.includes(`posthorn:${key}: is ${value}; allowed: ${rule.allowed}`), key);
  }
});
