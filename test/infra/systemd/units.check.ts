/** The files of systemd/ agree with each other, with systemd, the image and the chart. */
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { parse } from 'yaml';
import { loadSettings } from '#config/load.ts';
import { tempDir } from '#testkit/temp-dir.ts';
import { projectFiles, projectRoot, projectText } from '../../docs/project-files.ts';
import { guide } from '../guide.ts';
import { at } from '../manifests.ts';
import { assertAlertmanagerLoads } from '../alertmanager.ts';
import { toolPath, tools, without } from '../tools.ts';
import { parseEnvironment, parseUnit } from './unit.ts';

const run = promisify(execFile);
const text = (name: string): string => projectText(`systemd/${name}`);
const instances = ['http', 'work', 'probe'] as const;
const environmentOf = (instance: string): Record<string, string> => ({
  ...parseEnvironment(text('posthorn.env')),
  ...parseEnvironment(text(`${instance}.env`)),
});

function withoutSystemd(): string | false {
  try {
    execFileSync('systemd-analyze', ['--version'], { stdio: 'ignore' });
    return false;
  } catch {
    return 'systemd-analyze is not there';
  }
}

test('systemd accepts the units', { skip: withoutSystemd() }, async (t) => {
  const dir = await tempDir(t);
  const units = projectFiles('systemd/*.service');
  assert.equal(units.length, 3);
  const paths = units.map(({ path, text: unit }) => {
    // It looks for the programs.
    const here = unit.replaceAll(/(ExecStart=)\S+/g, `$1${process.execPath}`);
    const place = join(dir, basename(path).replace('@', '@http'));
    writeFileSync(place, here);
    return place;
  });
  const { stderr } = await run('systemd-analyze', ['verify', '--man=no', ...paths], {
    timeout: 60_000,
  });
  const ours = stderr.split('\n').filter((line) => line.includes(dir));
  assert.deepEqual(ours, []);
});

test('the program accepts the settings of each process', () => {
  const secrets = {
    POSTHORN_MONGODB_URL: 'mongodb://node-1/?tls=true',
    POSTHORN_MASTER_KEY: `${'A'.repeat(43)}=`,
    POSTHORN_BOOTSTRAP_KEY: 'a-platform-key-of-this-test',
  };
  for (const instance of instances) {
    loadSettings({ ...environmentOf(instance), ...secrets });
  }
  assert.throws(() => loadSettings({ ...environmentOf('http'), ...secrets, POSTHORN_ROLE: 'x' }));
});

test('each process has its own ports, and Prometheus reads all', () => {
  const ports = instances.map((instance) => Number(environmentOf(instance)['POSTHORN_OPS_PORT']));
  assert.equal(new Set(ports).size, instances.length);
  const nodes = ['node-1', 'node-2', 'node-3'];
  const targets = [
    ...nodes.map((node) => `${node}:${ports[0]}`),
    ...nodes.map((node) => `${node}:${ports[1]}`),
    `node-1:${ports[2]}`,
  ];
  const config: unknown = parse(text('prometheus.yml'));
  const [scraped] = at(config, 'scrape_configs') as object[];
  assert.deepEqual(at(scraped, 'static_configs', 0, 'targets'), targets);
  assert.ok(guide.includes(`prints ${targets.length}: every process`));
});

test(
  'promtool accepts the configuration with the rules of the chart',
  { skip: without(tools.promtool) },
  async (t) => {
    const dir = await tempDir(t);
    const file = join(dir, 'prometheus.yml');
    writeFileSync(file, text('prometheus.yml').replaceAll('/opt/posthorn', projectRoot));
    const { stdout } = await run(toolPath(tools.promtool), ['check', 'config', file]);
    assert.match(stdout, /SUCCESS: \d+ rule files found/);
  },
);

test('Alertmanager loads the configuration', { skip: without(tools.alertmanager) }, async (t) => {
  const dir = await tempDir(t);
  mkdirSync(join(dir, 'etc'));
  for (const name of ['pagerduty-key', 'smtp-password']) writeFileSync(join(dir, 'etc', name), 'x');
  const file = join(dir, 'alertmanager.yml');
  writeFileSync(file, text('alertmanager.yml').replaceAll('/etc/prometheus', join(dir, 'etc')));
  await assertAlertmanagerLoads(file, dir);
});

test('the processes run as in the image', () => {
  const unit = parseUnit(text('posthorn@.service'));
  const entry = /^ENTRYPOINT (\[.*\])$/m.exec(projectText('Dockerfile'))?.[1] ?? '';
  const [, ...flags] = JSON.parse(entry) as string[];
  assert.deepEqual(unit.value('ExecStart').split(' ').slice(1), [...flags, 'run']);
  const threads = /UV_THREADPOOL_SIZE=\d+/.exec(projectText('Dockerfile'))?.[0] ?? '';
  assert.ok(unit.value('Environment').includes(threads));
  assert.equal(unit.value('RestartPreventExitStatus'), '78');
});

test('the brokers have the limits of those in Kubernetes', () => {
  const values: unknown = parse(projectText('charts/nats/values.yaml'));
  const config = text('nats-server.conf');
  for (const key of [
    'max_payload',
    'max_pending',
    'write_deadline',
    'lame_duck_duration',
    'lame_duck_grace_period',
  ]) {
    const value = String(at(values, 'config', 'merge', key)).replaceAll(/<< | >>/g, '');
    assert.match(config, new RegExp(`^${key}: ${value}$`, 'm'));
  }
  const stored = Number(/^ {2}max_file_store: (\d+)GB$/m.exec(config)?.[1]) * 1024 ** 3;
  const { POSTHORN_JETSTREAM_BYTES_MAX: bytes } = parseEnvironment(text('posthorn.env'));
  assert.equal(Number(bytes), stored);
  assert.match(config, /^ {2}sync_interval: always$/m);
  assert.equal(at(values, 'config', 'jetstream', 'merge', 'sync_interval'), 'always');
  // Longer than lame duck mode.
  const stop = Number(parseUnit(text('nats-server.service')).value('TimeoutStopSec'));
  const seconds = (key: string): number =>
    Number(new RegExp(`^${key}: (\\d+)s`, 'm').exec(config)?.[1]);
  assert.ok(stop > seconds('lame_duck_duration') + seconds('lame_duck_grace_period'));
});
