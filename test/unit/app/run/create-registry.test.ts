import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadSettings } from '#config/load.ts';
import { LogLines } from '#infra/telemetry/log-lines.ts';
import { createRegistry } from '#src/app/run/create-registry.ts';
import { projectText } from '../../../docs/project-files.ts';

test('every process exports its revision, its roles and the metrics of Node', async () => {
  const settings = loadSettings({ POSTHORN_REVISION: 'abc123', POSTHORN_ROLES: 'router,delivery' });
  const exposed = await createRegistry(settings, new LogLines()).metrics();
  const labels = `revision="abc123",roles="router,delivery",node="${process.versions.node}"`;
  assert.ok(exposed.includes(`posthorn_build_info{${labels}} 1\n`), exposed);
  assert.match(exposed, /^posthorn_log_lines_total\{level="error"\} 0$/m);
  assert.match(exposed, /^nodejs_eventloop_lag_p99_seconds /m);
});

test('the image sets the revision to the commit that its workflow passes', () => {
  const dockerfile = projectText('Dockerfile');
  const [, argument = ''] = /POSTHORN_REVISION="\$\{(\w+)\}"/.exec(dockerfile) ?? [];
  assert.match(dockerfile, new RegExp(`^ARG ${argument}=`, 'm'));
  const workflow = projectText('.github/workflows/image.yaml');
  assert.match(workflow, new RegExp(`--build-arg "${argument}=\\$GITHUB_SHA"`));
});
