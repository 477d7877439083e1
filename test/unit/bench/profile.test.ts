import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { tempDir } from '#testkit/temp-dir.ts';
import { readProfile } from '../../../bench/profile.ts';

test('a profile gives the time in each function itself, without idle time', async (t) => {
  const ours = 'file:///any/checkout/src/wire/webhook/signature.ts';
  const node = (id: number, functionName: string, url: string) => {
    return { id, callFrame: { functionName, url, lineNumber: 9 } };
  };
  const profile = {
    nodes: [
      node(1, '(idle)', ''),
      node(2, 'sign', ours),
      node(3, 'inc', 'file:///x/node_modules/prom-client/lib/counter.js'),
      node(4, 'export', 'file:///x/node_modules/@opentelemetry/sdk-trace/build/index.js'),
    ],
    samples: [1, 2, 2, 3],
    timeDeltas: [1000, 10, 20, 5],
  };
  const file = join(await tempDir(t), 'one.cpuprofile');
  await writeFile(file, JSON.stringify(profile));
  assert.deepEqual(readProfile(file), [
    { name: 'sign', place: 'src/wire/webhook/signature.ts', line: 10, microseconds: 30 },
    { name: 'inc', place: 'prom-client lib/counter.js', line: 10, microseconds: 5 },
    {
      name: 'export',
      place: '@opentelemetry/sdk-trace build/index.js',
      line: 10,
      microseconds: 0,
    },
  ]);
});
