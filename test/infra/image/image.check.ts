/**
 * The image, built from the Dockerfile and run as in the chart: without root, without capabilities,
 * on a read-only file system. The check needs root, buildah, umoci, runc and a base image. If no
 * registry is reachable, INFRA_NODE_IMAGE names the base image (`oci:<folder>`), which
 * `npm run base:image` makes.
 */
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { findFreePort } from '#src/embedded/free-port.ts';
import { startNatsServer, testMongo } from '#testkit/servers.ts';
import { makeTempDir } from '#testkit/temp-dir.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { projectRoot, projectText } from '../../docs/project-files.ts';
import { at } from '../manifests.ts';
import { skipFor, toolsRequired } from '../tools.ts';

const run = promisify(execFile);
const KEY = 'a-platform-key-of-this-test';

function isOnPath(program: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((dir) => {
    try {
      accessSync(join(dir, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function whyNot(): string | false {
  if (process.getuid?.() !== 0) return 'only root can unpack and run the image';
  const missing = ['buildah', 'umoci', 'runc'].filter((program) => !isOnPath(program));
  return missing.length > 0 && `${missing.join(', ')} not installed`;
}
const skip = skipFor(whyNot());

interface Bundle {
  root: { readonly: boolean };
  process: {
    user: { uid: number };
    args: string[];
    env: string[];
    terminal: boolean;
    noNewPrivileges: boolean;
    capabilities: Record<string, string[]>;
  };
  linux: { namespaces: { type: string }[] };
}

test('the image can be built, migrates, serves and stops', { skip }, async (t) => {
  const dir = await makeTempDir();
  t.after(() => dir.remove());
  const store = [
    '--storage-driver',
    'vfs',
    '--root',
    `${dir.path}/store`,
    '--runroot',
    `${dir.path}/run`,
  ];
  const buildah = (...args: string[]) =>
    run('buildah', [...store, ...args], { cwd: projectRoot, timeout: 300_000, maxBuffer: 1 << 26 });
  const named = /^ARG NODE_IMAGE=(\S+)$/m.exec(projectText('Dockerfile'))?.[1] as string;
  let base: string;
  try {
    const { stdout } = await buildah('pull', '--quiet', process.env['INFRA_NODE_IMAGE'] ?? named);
    base = stdout.trim();
  } catch (error) {
    if (toolsRequired()) throw error;
    t.skip(`the base image ${named} cannot be pulled`);
    return;
  }
  const build = ['bud', '--quiet', '--isolation', 'chroot', '--pull-never', '--format', 'docker'];
  await buildah(...build, '--build-arg', `NODE_IMAGE=${base}`, '--tag', 'posthorn:test', '.');
  await buildah('push', '--quiet', 'posthorn:test', `oci:${dir.path}/oci:test`);
  const bundle = join(dir.path, 'bundle');
  await run('umoci', ['unpack', '--image', `${dir.path}/oci:test`, bundle]);

  const nats = await startNatsServer();
  t.after(() => nats.dispose());
  const mongo = await testMongo();
  t.after(() => mongo.dispose());
  const ports = { http: await findFreePort(), ops: await findFreePort() };
  const file = join(bundle, 'config.json');
  const config = JSON.parse(readFileSync(file, 'utf8')) as Bundle;
  assert.equal(config.process.user.uid, 1000);
  config.root.readonly = true;
  config.process.terminal = false;
  config.process.noNewPrivileges = true;
  for (const set of Object.keys(config.process.capabilities)) config.process.capabilities[set] = [];
  // The servers of this test run on this machine.
  config.linux.namespaces = config.linux.namespaces.filter(({ type }) => type !== 'network');
  config.process.env.push(
    `POSTHORN_NATS_URL=${nats.url}`,
    `POSTHORN_MONGODB_URL=${mongo.url}`,
    `POSTHORN_MONGODB_DATABASE=${mongo.db.databaseName}`,
    'POSTHORN_SHARDS=1',
    `POSTHORN_HTTP_PORT=${ports.http}`,
    `POSTHORN_OPS_PORT=${ports.ops}`,
    `POSTHORN_MASTER_KEY=${'A'.repeat(43)}=`,
    `POSTHORN_BOOTSTRAP_KEY=${KEY}`,
  );
  const command = config.process.args;
  const runc = ['--root', `${dir.path}/runc`];
  const id = `posthorn-${process.pid}`;

  const migrate = {
    ...config,
    process: { ...config.process, args: [...command.slice(0, -1), 'migrate'] },
  };
  writeFileSync(file, JSON.stringify(migrate));
  await run('runc', [...runc, 'run', '--bundle', bundle, `${id}-migrate`], { timeout: 120_000 });

  writeFileSync(file, JSON.stringify(config));
  const child = spawn('runc', [...runc, 'run', '--bundle', bundle, id], { stdio: 'ignore' });
  const ended = once(child, 'exit');
  t.after(() => run('runc', [...runc, 'delete', '--force', id]).catch(() => undefined));
  const ready = () =>
    fetch(`http://127.0.0.1:${ports.ops}/readyz`).then(
      ({ ok }) => ok,
      () => false,
    );
  await waitUntil(ready, { what: 'the container is ready', deadlineMs: 60_000 });
  const put = await fetch(`http://127.0.0.1:${ports.http}/v1/tenants/smoke`, {
    method: 'PUT',
    headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' },
    body: '{}',
  });
  assert.equal(put.status, 201, await put.text());

  const { stdout } = await run('runc', [...runc, 'state', id]);
  const pid = at(JSON.parse(stdout), 'pid') as number;
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  assert.match(status, /^Uid:\t1000\t1000/m);
  assert.match(status, /^CapEff:\t0+$/m);
  const write = run('runc', [...runc, 'exec', id, 'sh', '-c', 'touch /app/x']);
  await assert.rejects(write, /Read-only file system/);

  await run('runc', [...runc, 'kill', id, 'TERM']);
  assert.deepEqual(await ended, [0, null], 'it stops as asked');
});
