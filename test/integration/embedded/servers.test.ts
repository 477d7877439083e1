import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { startNatsServer as startEmbeddedNats } from '#src/embedded/nats-server.ts';
import { natsServer } from '#src/embedded/program.ts';
import { ServerProcess } from '#src/embedded/server-process.ts';
import { commandLine, endStaleServer } from '#src/embedded/stale-server.ts';
import { isRunning } from '../../kit/processes/child-processes.ts';
import { tempDir } from '#testkit/temp-dir.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { startNatsServer, testBinary } from '#testkit/servers.ts';
import { findFreePort } from '#src/embedded/free-port.ts';
import { connectNats } from '#infra/nats/connection.ts';
import { createLog } from '#infra/telemetry/log.ts';
import { jetstreamManager } from '@nats-io/jetstream';

const log = createLog('silent');

test('nats-server keeps its streams over kill -9 on the same port', async (t) => {
  let server = await startNatsServer();
  t.after(() => server.dispose());
  const nc = await connectNats(server.url, 'test', log);
  t.after(() => nc.close());
  const streams = await jetstreamManager(nc);
  await streams.streams.add({ name: 'KEPT', subjects: ['kept'] });
  assert.equal(nc.info?.max_payload, 8 * 1024 * 1024);
  const port = server.port;
  await server.kill('SIGKILL');
  assert.equal((await server.exited).signal, 'SIGKILL');
  server = await server.restart();
  assert.equal(server.port, port);
  const again = await connectNats(server.url, 'test', log);
  t.after(() => again.close());
  const info = await (await jetstreamManager(again)).streams.info('KEPT');
  assert.equal(info.config.name, 'KEPT');
});

test('a server of an earlier parent on the same folder is stopped at the next start', async (t) => {
  const left = await startNatsServer();
  t.after(() => left.dispose());
  const next = await left.restart(await findFreePort());
  t.after(() => next.dispose());
  assert.equal((await left.exited).expected, false);
  assert.notEqual(next.pid, left.pid);
});

test('a process with the id of an earlier server is not stopped unless it is that server', async (t) => {
  const dataDir = join(await tempDir(t), 'mongod');
  await mkdir(dataDir);
  const pidFile = join(dataDir, 'mongod.lock');
  const script = 'setInterval(() => {}, 1e6)';
  for (const program of ['node', 'node mongod']) {
    const args = ['-e', script, 'mongod', '--dbpath', dataDir];
    const other = spawn(process.execPath, args, { argv0: program });
    t.after(() => other.kill('SIGKILL'));
    await once(other, 'spawn');
    await writeFile(pidFile, `${other.pid}\n`);
    assert.equal(await endStaleServer({ pidFile, program: 'mongod', dataDir }), undefined);
    assert.ok(isRunning(other.pid as number));
  }
  const server = spawn(process.execPath, ['-e', script, dataDir], { argv0: '/bin/mongod-8.0' });
  t.after(() => server.kill('SIGKILL'));
  await once(server, 'spawn');
  await writeFile(pidFile, `${server.pid}\n`);
  assert.equal(await endStaleServer({ pidFile, program: 'mongod', dataDir }), server.pid);
});

test('a server ends when its parent is killed', async (t) => {
  const dir = await tempDir(t);
  const script = `import { startNatsServer } from '#src/embedded/nats-server.ts';
    const server = await startNatsServer({ binary: process.argv[1], dataDir: process.argv[2] });
    console.log(server.pid);`;
  const args = ['--input-type=module', '-e', script, await testBinary(natsServer), dir];
  const parent = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(createInterface({ input: parent.stdout }), 'line')) as [string];
  const pid = Number(line);
  assert.ok(commandLine(pid)?.includes(dir));
  parent.kill('SIGKILL');
  await waitUntil(() => commandLine(pid) === undefined, { what: 'the server to end' });
});

test('the last output of a server is available after it has ended', async () => {
  for (let round = 0; round < 20; round++) {
    const args = ['-c', 'echo early; echo late >&2; exit 1'];
    const server = await ServerProcess.spawn({ name: 'sh', binary: '/bin/sh', args });
    await server.exited;
    assert.deepEqual(server.output.split('\n').toSorted(), ['early', 'late']);
  }
});

test('a server counts as ended while its child still holds its output', async (t) => {
  const args = ['-c', 'sleep 600 & echo $!'];
  const server = await ServerProcess.spawn({ name: 'sh', binary: '/bin/sh', args });
  assert.equal((await server.exited).code, 0);
  const pid = Number(server.output);
  t.after(() => process.kill(pid, 'SIGKILL'));
  assert.ok(commandLine(pid)?.includes('sleep'));
});

test('a server that cannot start reports the reason', async (t) => {
  const server = await startNatsServer();
  t.after(() => server.dispose());
  const dataDir = await tempDir(t);
  const { port } = server;
  await assert.rejects(
    startEmbeddedNats({ binary: await testBinary(natsServer), dataDir, port }),
    /address already in use/,
  );
  await assert.rejects(
    startEmbeddedNats({ binary: '/nowhere/nats-server', dataDir }),
    /nats-server cannot be run \(\/nowhere\/nats-server\)/,
  );
});
