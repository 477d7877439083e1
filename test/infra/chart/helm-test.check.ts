/** `helm test`: the pod that it runs, and the command of the pod against a real system. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { tempDir } from '#testkit/temp-dir.ts';
import { PosthornProcess } from '../../e2e/posthorn-process.ts';
import { at, conform, type Manifest, only } from '../manifests.ts';
import { tools, without } from '../tools.ts';
import { renderValues } from './values.ts';

const skip = without(tools.helm) || without(tools.kubeconform);

interface Env {
  name: string;
  value: string;
}

const envOf = (manifests: Manifest[]): Env[] =>
  at(only(manifests, 'Pod', 'posthorn-test').spec, 'containers', 0, 'env') as Env[];

/** Runs the script of the pod with the command of the pod. */
async function run(script: string, env: Record<string, string>) {
  const child = spawn(process.execPath, [script], { env: { ...env, DEADLINE_SECONDS: '30' } });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  }
  const [code] = (await once(child, 'close')) as [number];
  return { code, output };
}

test(
  'the pod runs the script of its ConfigMap and reaches ingress and control',
  { skip },
  async () => {
    const manifests = await renderValues({});
    await conform(manifests);
    const { spec, metadata } = only(manifests, 'Pod', 'posthorn-test');
    assert.equal(metadata.annotations?.['helm.sh/hook'], 'test');
    assert.equal(metadata.annotations?.['argocd.argoproj.io/hook'], 'Skip');
    const command = at(spec, 'containers', 0, 'command') as string[];
    const mounts = at(spec, 'containers', 0, 'volumeMounts') as {
      name: string;
      mountPath: string;
    }[];
    const [, file = ''] = command;
    const mount = mounts.find(({ mountPath }) => file.startsWith(`${mountPath}/`));
    const volumes = at(spec, 'volumes') as { name: string; configMap?: { name: string } }[];
    const volume = volumes.find(({ name }) => name === mount?.name);
    const { data } = only(manifests, 'ConfigMap', volume?.configMap?.name ?? '');
    assert.ok(data?.[file.slice((mount?.mountPath.length ?? 0) + 1)], file);
    for (const { name, value } of envOf(manifests)) {
      if (!name.endsWith('_URL')) continue;
      only(manifests, 'Service', new URL(value).hostname);
      // The script reads each of these variables.
      assert.match(data?.['check.mjs'] ?? '', new RegExp(`\\b${name}\\b`));
    }
    const { metadata: policy } = only(manifests, 'NetworkPolicy', 'posthorn-test');
    assert.equal(policy.annotations?.['helm.sh/hook'], 'test');
    const taken = only(manifests, 'NetworkPolicy', 'posthorn-test-publishes').spec;
    assert.match(JSON.stringify(taken), /"app\.kubernetes\.io\/component":"test"/);
  },
);

test('without a platform key the pod reads no secret', { skip }, async () => {
  const manifests = await renderValues({
    secret: { bootstrapKey: false },
    probe: { enabled: false },
  });
  assert.deepEqual(
    envOf(manifests).map(({ name }) => name),
    ['CONTROL_URL', 'INGRESS_URL'],
  );
  const off = await renderValues({ test: { enabled: false } });
  assert.ok(!off.some(({ metadata }) => metadata.name.startsWith('posthorn-test')));
});

test(
  'the script publishes through a running system, and fails with the reason',
  { skip },
  async (t) => {
    const dir = await tempDir(t);
    const manifests = await renderValues({});
    const script = join(dir, 'check.mjs');
    await writeFile(
      script,
      only(manifests, 'ConfigMap', 'posthorn-test').data?.['check.mjs'] ?? '',
    );
    const posthorn = new PosthornProcess(join(dir, 'data'));
    t.after(() => posthorn.end());
    const { apiUrl, key } = await posthorn.banner();
    const keyFile = join(dir, 'key');
    await writeFile(keyFile, `${key}\n`);
    const env = Object.fromEntries(
      envOf(manifests).map(({ name }) => [name, name.endsWith('_FILE') ? keyFile : apiUrl]),
    );
    for (let time = 1; time <= 2; time++) {
      const { code, output } = await run(script, env);
      assert.equal(code, 0, output);
      const steps = output.trim().split('\n');
      assert.deepEqual(
        steps.map((step) => step.split(':')[0]),
        [
          'health of ingress',
          'health of control',
          'create the tenant',
          'publish an event',
          'read the event',
          'delete the tenant',
        ],
      );
    }
    // As before the promotion of a blue-green roll-out.
    const several = await run(script, { ...env, TENANT: 'preview-ingress', EVENTS: '3' });
    assert.equal(several.code, 0, several.output);
    assert.equal(several.output.match(/^publish an event: 202$/gm)?.length, 3);
    await writeFile(keyFile, 'a-key-that-nobody-made-0123456789');
    const wrong = await run(script, env);
    assert.equal(wrong.code, 1);
    assert.match(wrong.output, /failed: create the tenant: 401/);
    await posthorn.end();
    const closed = await run(script, env);
    assert.equal(closed.code, 1);
    assert.match(closed.output, /failed: health of ingress/);
  },
);
