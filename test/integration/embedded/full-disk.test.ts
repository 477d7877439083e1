import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { systemClock } from '#infra/system-clock.ts';
import { Supervisor } from '#src/app/run/supervisor.ts';
import { startNatsServer } from '#src/embedded/nats-server.ts';
import { findFreePort } from '#src/embedded/free-port.ts';
import { natsServer } from '#src/embedded/program.ts';
import { createLog } from '#infra/telemetry/log.ts';
import { testBinary } from '#testkit/servers.ts';
import { SmallDisk } from '#testkit/small-disk.ts';
import { skipUnlessCi } from '#testkit/skip-unless-ci.ts';
import { makeTempDir } from '#testkit/temp-dir.ts';
import { waitUntil } from '#testkit/wait-until.ts';

function mount(path: string): SmallDisk | undefined {
  try {
    return SmallDisk.mount(path, 24);
  } catch {
    return undefined;
  }
}

test('nats-server is restarted and stores messages again after its disk was full', async (t) => {
  const dir = await makeTempDir();
  const disk = mount(dir.path);
  if (disk === undefined) {
    await dir.remove();
    skipUnlessCi(t, 'a folder of a fixed size cannot be mounted here');
    return;
  }
  t.after(async () => {
    disk.unmount();
    await dir.remove();
  });
  const binary = await testBinary(natsServer);
  const port = await findFreePort();
  const supervisor = new Supervisor({
    clock: systemClock,
    name: 'nats-server',
    spawn: () => startNatsServer({ binary, dataDir: dir.path, port, monitorPort: 0 }),
    log: createLog('silent'),
    watchEveryMs: 50,
  });
  t.after(() => supervisor.stop());
  await supervisor.start();
  const nc = await connect({
    servers: `nats://127.0.0.1:${port}`,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 50,
  });
  t.after(() => nc.close());
  const jsm = await jetstreamManager(nc);
  await jsm.streams.add({ name: 'EVENTS', subjects: ['events'] });
  const js = jetstream(nc, { timeout: 1000 });
  await js.publish('events', 'before');
  const first = supervisor.pid;
  assert.ok(first);

  disk.fill();
  await waitUntil(
    async () => {
      nc.publish('events', new Uint8Array(64 * 1024));
      await nc.flush();
      return supervisor.pid !== first;
    },
    { what: 'the end of the server that cannot write', deadlineMs: 60_000 },
  );
  disk.free();
  await waitUntil(async () => (await js.publish('events', 'after')).seq > 1, {
    what: 'an event that is stored',
    deadlineMs: 60_000,
  });
  const kept = await jsm.streams.getMessage('EVENTS', { seq: 1 });
  assert.equal(kept?.string(), 'before');
});
