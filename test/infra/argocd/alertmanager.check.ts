/**
 * A real Alertmanager with the rendered configuration sends each alert to the receivers of its
 * severity.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { parse, stringify } from 'yaml';
import { tempDir } from '#testkit/temp-dir.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { at, only, render } from '../manifests.ts';
import { toolPath, tools, without } from '../tools.ts';

const skip = without(tools.helm) || without(tools.alertmanager);

interface AlertmanagerConfig {
  readonly global: Record<string, unknown>;
  readonly route: Record<string, unknown> & { routes: Record<string, unknown>[] };
}

async function renderApps(...set: string[]) {
  return render('argocd/apps', {
    release: 'root',
    values: ['argocd/environments/prod/apps.yaml'],
    set: set.map((one) => `alerting.${one}`),
  });
}

interface Received {
  readonly receiver: string;
  readonly authorization: string | undefined;
  readonly body: string;
}

/** Listens in place of PagerDuty, Slack and webhooks. The path names the receiver. */
async function startReceivers(t: TestContext): Promise<{ url: string; received: Received[] }> {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      const { authorization } = request.headers;
      received.push({ receiver: request.url ?? '', authorization, body });
      response.writeHead(request.url === '/pagerduty' ? 202 : 200).end('{"status":"success"}');
    });
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  t.after(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => void server.close(resolve));
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, received };
}

/** @returns the address of its API */
async function startAlertmanager(
  t: TestContext,
  config: AlertmanagerConfig,
  dir: string,
): Promise<string> {
  await writeFile(join(dir, 'alertmanager.yaml'), stringify(config));
  const args = [`--config.file=${dir}/alertmanager.yaml`, `--storage.path=${dir}/data`];
  args.push('--web.listen-address=127.0.0.1:0', '--cluster.listen-address=');
  const child = spawn(toolPath(tools.alertmanager), args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let log = '';
  child.stderr.on('data', (chunk: Buffer) => (log += chunk.toString()));
  t.after(async () => {
    if (child.exitCode === null && child.kill('SIGTERM')) await once(child, 'exit');
  });
  return waitUntil(
    () => {
      const address = /msg="Listening on" address=(\S+)/.exec(log)?.[1];
      if (address === undefined) throw new Error(log);
      return `http://${address}`;
    },
    { deadlineMs: 30_000, what: 'Alertmanager listens' },
  );
}

test('each severity reaches its receivers, with the keys of the Secret', { skip }, async (t) => {
  const dir = await tempDir(t);
  const { url, received } = await startReceivers(t);
  const keys: Record<string, string> = {
    alertPagerdutyKey: 'the-key-of-pagerduty',
    alertSlackUrl: `${url}/slack`,
    alertWebhookToken: 'the-token',
    alertSmtpPassword: 'secret',
  };
  const apps = await renderApps(
    'page.email=null',
    'ticket.email=null',
    'page.pagerduty=true',
    'ticket.slack=#ops',
    `page.webhook=${url}/page`,
    `watchdog.webhook=${url}/watchdog`,
    'webhookToken=true',
  );
  const foundation = only(apps, 'Application', 'foundation');
  const wanted = at(foundation, 'spec', 'source', 'helm', 'valuesObject', 'alertKeys') as string[];
  assert.deepEqual(wanted.toSorted(), Object.keys(keys).toSorted());
  const stack = only(apps, 'Application', 'kube-prometheus-stack');
  const values = at(stack, 'spec', 'source', 'helm', 'valuesObject', 'alertmanager');
  assert.deepEqual(at(values, 'alertmanagerSpec', 'secrets'), ['alertmanager-receivers']);

  const mounted = '/etc/alertmanager/secrets/alertmanager-receivers';
  const secrets = join(dir, 'secrets');
  await mkdir(secrets);
  for (const [key, value] of Object.entries(keys)) await writeFile(join(secrets, key), value);
  const text = stringify(at(values, 'config')).replaceAll(mounted, secrets);
  const config = parse(text) as AlertmanagerConfig;
  config.global['pagerduty_url'] = `${url}/pagerduty`;
  // The rendered delays are meant for people: 30 s before the first message of a group.
  for (const route of [config.route, ...config.route.routes]) route['group_wait'] = '0s';
  const api = await startAlertmanager(t, config, dir);

  const alerts = Object.entries({
    PosthornRouterBehind: 'page',
    KubeAPIDown: 'critical',
    PosthornHistoryBlocked: 'ticket',
    KubeJobFailed: 'warning',
    WithoutSeverity: undefined,
    InfoInhibitor: 'none',
    Watchdog: 'none',
  }).map(([alertname, severity]) => ({ labels: { alertname, severity, namespace: 'posthorn' } }));
  const posted = await fetch(`${api}/api/v2/alerts`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(alerts),
  });
  assert.equal(posted.status, 200);

  const names = alerts.map(({ labels }) => labels.alertname);
  const sent = (): string[] =>
    received
      .flatMap(({ receiver, body }) =>
        names.filter((name) => body.includes(name)).map((name) => `${receiver} ${name}`),
      )
      .toSorted();
  await waitUntil(() => sent().length >= 8, { deadlineMs: 30_000, what: 'all alerts are sent' });
  assert.deepEqual(sent(), [
    '/page KubeAPIDown',
    '/page PosthornRouterBehind',
    '/pagerduty KubeAPIDown',
    '/pagerduty PosthornRouterBehind',
    '/slack KubeJobFailed',
    '/slack PosthornHistoryBlocked',
    '/slack WithoutSeverity',
    '/watchdog Watchdog',
  ]);
  for (const { receiver, authorization, body } of received) {
    if (['/page', '/watchdog'].includes(receiver)) assert.equal(authorization, 'Bearer the-token');
    if (receiver === '/pagerduty') assert.ok(body.includes('the-key-of-pagerduty'));
  }
});

test('rejects email receivers without a mail server', { skip }, async () => {
  await assert.rejects(renderApps('smtp.smarthost='), /smarthost/);
  await assert.rejects(renderApps('page.phone=1'), /'phone' not allowed/);
});

test(
  'no alert pages about the parts of a control plane that EKS hides',
  { skip: without(tools.helm) },
  async () => {
    const stack = only(await renderApps(), 'Application', 'kube-prometheus-stack');
    const values = at(stack, 'spec', 'source', 'helm', 'valuesObject');
    // The chart has an alert for each of these that is enabled, of the severity critical.
    for (const part of ['kubeControllerManager', 'kubeEtcd', 'kubeProxy', 'kubeScheduler']) {
      assert.equal(at(values, part, 'enabled'), false, part);
    }
  },
);
