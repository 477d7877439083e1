import assert from 'node:assert/strict';
import { Agent, type Server, createServer, get } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { Balancer } from '../../../loadtest/k6/runner/balancer.ts';

interface Process {
  name: string;
  server: Server;
  port: number;
  ready: boolean;
  ending: boolean;
}

async function startProcess(t: TestContext, name: string): Promise<Process> {
  const server = createServer((_request, response) => response.end(name));
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { name, server, port: (server.address() as AddressInfo).port, ready: true, ending: false };
}

async function start(t: TestContext): Promise<{ processes: Process[]; balancer: Balancer }> {
  const processes = [await startProcess(t, 'a'), await startProcess(t, 'b')];
  const balancer = await Balancer.start(
    processes.map((one) => ({
      port: one.port,
      isReady: async () => one.ready,
      isEnding: () => one.ending,
    })),
  );
  t.after(() => balancer.close());
  return { processes, balancer };
}

/** Returns the name of the process that answered. */
function ask(url: string, agent?: Agent): Promise<string> {
  return new Promise((answered, failed) => {
    const request = get(url, { agent: agent ?? new Agent() }, (response) => {
      let body = '';
      response.on('data', (chunk: Buffer) => (body += chunk.toString()));
      response.once('end', () => answered(body));
    });
    request.once('error', failed);
  });
}

test('a balancer spreads new connections over the ready processes and keeps open ones where they are', async (t) => {
  const { processes, balancer } = await start(t);
  const [a] = processes as [Process, Process];
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.after(() => agent.destroy());
  assert.equal(await ask(balancer.url, agent), 'a');
  assert.deepEqual([await ask(balancer.url), await ask(balancer.url)], ['b', 'a']);
  a.ready = false;
  await balancer.probe();
  // Twice, because once may be chance.
  assert.deepEqual([await ask(balancer.url), await ask(balancer.url)], ['b', 'a']);
  await balancer.probe();
  const answers = await Promise.all(Array.from({ length: 4 }, () => ask(balancer.url)));
  assert.deepEqual(answers, ['b', 'b', 'b', 'b']);
  assert.equal(await ask(balancer.url, agent), 'a');
  a.ready = true;
  await balancer.probe();
  assert.deepEqual([await ask(balancer.url), await ask(balancer.url)].toSorted(), ['a', 'b']);
});

test('a draining process gets no new connection', async (t) => {
  const { processes, balancer } = await start(t);
  const [, b] = processes as [Process, Process];
  b.ending = true;
  assert.deepEqual([await ask(balancer.url), await ask(balancer.url)], ['a', 'a']);
});

test('a balancer forwards a refusal, and refuses connections when no process is ready', async (t) => {
  const { processes, balancer } = await start(t);
  const [a, b] = processes as [Process, Process];
  await new Promise((closed) => a.server.close(closed));
  const seen = await Promise.allSettled([ask(balancer.url), ask(balancer.url)]);
  assert.deepEqual(seen.map(({ status }) => status).toSorted(), ['fulfilled', 'rejected']);
  a.ending = true;
  b.ending = true;
  await assert.rejects(ask(balancer.url), { code: 'ECONNRESET' });
});
