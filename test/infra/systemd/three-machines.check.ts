/**
 * Follows the installation guide for three machines, with processes in place of the machines: its
 * commands, its files, the commands of its units, the first webhook, and the loss of a machine.
 */
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, writeFileSync, appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { MongoClient } from 'mongodb';
import { makeTempDir, type TempDir } from '#testkit/temp-dir.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { WebhookReceiver } from '#testkit/webhook-receiver.ts';
import { assertShown } from '../../docs/examples/shown-answers.ts';
import { projectRoot } from '../../docs/project-files.ts';
import { blocksOf, section } from '../guide.ts';
import { skipFor } from '../tools.ts';
import { type Machine, makeMachines } from './machines.ts';
import { parseEnvironment } from './unit.ts';

const run = promisify(execFile);
/** Generous, because the machine may be busy with other work. */
const patience = { deadlineMs: 60_000, intervalMs: 100 };

function isThere(program: string): boolean {
  try {
    execFileSync(program, ['version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
const skip = skipFor(isThere('openssl') ? false : 'openssl is not there');

const PASSWORD = 'a-password-of-mongodb';
let dir: TempDir;
let machines: Machine[];
let receiver: WebhookReceiver;
let key: string;
/** The later tests need what the first one installs. */
let installed = false;

const first = (): Machine => machines[0] as Machine;

before(async () => {
  if (skip !== false) return;
  dir = await makeTempDir();
  receiver = await WebhookReceiver.start();
  machines = await makeMachines(dir.path);
});
after(async () => {
  for (const machine of machines ?? []) await machine.kill();
  await receiver?.close();
  await dir?.remove();
});

/** Steps 2 and C4: secrets, certificates and configuration of each machine. */
async function configure(): Promise<void> {
  const work = join(dir.path, 'files');
  mkdirSync(work, { mode: 0o700 });
  const [, , make = ''] = (blocksOf(section('## 2. Make the secrets'), 'sh')[0] ?? '').split('\n');
  const made = await run(
    'bash',
    ['--norc', '-euc', make.replace('secrets.env', join(work, 'secrets.env'))],
    {
      cwd: projectRoot,
    },
  );
  const issuer = /issuer of NATS: (\w+)/.exec(made.stderr)?.[1] ?? '';
  const step = section('### C4. Make the certificates and the configuration');
  const [certificates = '', install = ''] = blocksOf(step, 'sh');
  await first().shell(certificates, work);
  const url = first().translate(
    blocksOf(step, 'text')[0]?.trim().replace('PASSWORD', PASSWORD) ?? '',
  );
  const secrets = join(work, 'secrets.env');
  writeFileSync(
    secrets,
    readFileSync(secrets, 'utf8').replace(/^(POSTHORN_MONGODB_URL)=.*$/m, `$1=${url}`),
  );
  key = String(parseEnvironment(readFileSync(secrets, 'utf8'))['POSTHORN_BOOTSTRAP_KEY']);
  for (const machine of machines) {
    const copy = join(machine.root, 'files');
    cpSync(work, copy, { recursive: true });
    await machine.shell(install.replace('=ISSUER', `=${issuer}`), copy);
    const files = ['posthorn.env', 'http.env', 'work.env', 'probe.env'];
    machine.localize([
      ...files.map((file) => `etc/posthorn/${file}`),
      'etc/nats/nats-server.conf',
      'etc/mongod.conf',
    ]);
    // The receiver of this test is on loopback.
    const settings = join(machine.root, 'etc/posthorn/posthorn.env');
    appendFileSync(settings, 'POSTHORN_EGRESS_ALLOW=127.0.0.0/8\n');
  }
}

/** @throws Error with what the processes of the machines said */
function withOutput(cause: unknown): never {
  const reason = cause instanceof Error ? cause.message : String(cause);
  throw new Error([reason, ...machines.map(({ output }) => output)].join('\n'), { cause });
}

/** The commands of mongosh in step C5, by the driver. */
async function initiate(): Promise<void> {
  const commands = section('### C5. Start the servers, then Posthorn');
  const set: unknown = JSON.parse(/rs\.initiate\((.*)\)'/.exec(commands)?.[1] ?? '');
  const users = [...commands.matchAll(/createUser\((.*)\)'/g)].map(
    ([, text = '']) => JSON.parse(text) as { user: string; pwd: string; roles: object[] },
  );
  const ca = join(first().root, 'etc/posthorn/tls/ca.crt');
  const connect = (login = ''): Promise<MongoClient> =>
    new MongoClient(`mongodb://${login}${first().address}:27017/?directConnection=true&tls=true`, {
      tlsCAFile: ca,
      serverSelectionTimeoutMS: 2000,
    }).connect();
  const client = await waitUntil(() => connect(), { ...patience, what: 'a mongod answers' });
  let administrator: MongoClient | undefined;
  try {
    const admin = client.db('admin');
    const config = JSON.parse(first().translate(JSON.stringify(set))) as object;
    await waitUntil(() => admin.command({ replSetInitiate: config }), {
      ...patience,
      what: 'the set is initiated',
    });
    const isPrimary = async (): Promise<boolean> =>
      (await admin.command({ hello: 1 }))['isWritablePrimary'] === true;
    await waitUntil(isPrimary, { ...patience, what: 'the set has a primary' });
    const [root, own] = users;
    assert.ok(root && own);
    await admin.command({ createUser: root.user, pwd: root.pwd, roles: root.roles });
    administrator = await connect(`${root.user}:${root.pwd}@`);
    const { user: createUser, roles } = own;
    await administrator.db('admin').command({ createUser, pwd: PASSWORD, roles });
  } finally {
    await administrator?.close();
    await client.close();
  }
}

async function ready(machine: Machine, port: number): Promise<void> {
  const answer = async (): Promise<boolean> => {
    const response = await fetch(`http://${machine.address}:${port}/readyz`);
    const body = await response.text();
    if (response.status !== 200) throw new Error(body);
    return body.includes('"ready":true');
  };
  await waitUntil(answer, { ...patience, what: `node-${machine.number}:${port} is ready` });
}

test('the commands of the guide install Posthorn on three machines', { skip }, async () => {
  await configure();
  for (const machine of machines) {
    await machine.startNats();
    await machine.startMongod();
  }
  await initiate().catch(withOutput);
  const migration = await first().startPosthorn('posthorn-migrate');
  const { code } = await migration.exited;
  assert.equal(code, 0, migration.output);
  for (const machine of machines) {
    await machine.startPosthorn('posthorn@http');
    await machine.startPosthorn('posthorn@work');
  }
  await first().startPosthorn('posthorn@probe');
  for (const machine of machines) {
    await ready(machine, 9090).catch(withOutput);
    await ready(machine, 9091).catch(withOutput);
  }
  await ready(first(), 9092).catch(withOutput);
  installed = true;
});

async function send(script: string): Promise<string[]> {
  assert.ok(installed, 'Posthorn is installed');
  const url = `http://${first().address}:8080`;
  const own = script.replace('https://receiver.example.com/webhooks', receiver.url('/webhooks'));
  const prelude = 'curl() { command curl -sS --fail-with-body "$@"; echo; }\n';
  const env = { PATH: process.env['PATH'], API: url, IN: url, KEY: key };
  const { stdout } = await run('bash', ['--norc', '-euc', prelude + own], { env });
  return stdout.trim().split('\n');
}

test(
  'the first webhook arrives, and the answers are those that the guide shows',
  { skip },
  async () => {
    const step = section('## 7. Send the first webhook');
    const [publish = '', read = ''] = blocksOf(step, 'sh first-webhook');
    const [accepted = '', delivered = ''] = blocksOf(step, 'json answer');
    const answers = await send(publish);
    assertShown(accepted, JSON.parse(answers.at(-1) ?? ''), 'accepted');
    await waitUntil(() => receiver.requests.length > 0, { ...patience, what: 'the webhook' });
    const answer = await waitUntil(
      async () => {
        const [line = ''] = await send(read);
        return line.includes('"delivered"') && line;
      },
      { ...patience, what: 'the history' },
    );
    assertShown(delivered, JSON.parse(answer), 'delivered');
    assert.match(String(receiver.requests[0]?.headers['webhook-signature']), /^v1,/);
  },
);

test('webhooks arrive while a machine is off', { skip }, async () => {
  await machines[2]?.kill();
  const before = receiver.requests.length;
  const step = section('## 7. Send the first webhook');
  const [, , publish = ''] = (blocksOf(step, 'sh first-webhook')[0] ?? '')
    .split(/^(?=curl)/m)
    .slice(1);
  const event = publish.replace('order-1', 'order-2');
  assert.ok(installed, 'Posthorn is installed');
  await waitUntil(() => send(event), { ...patience, what: 'an event is accepted' });
  await waitUntil(() => receiver.requests.length > before, { ...patience, what: 'its webhook' });
  const [, , remove = ''] = blocksOf(step, 'sh first-webhook');
  await waitUntil(() => send(remove), { ...patience, what: 'the tenant is deleted' });
});
