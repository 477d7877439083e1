import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse } from 'yaml';
import { loadEnvironment } from '#config/load.ts';
import { addressSettings } from '#config/settings/address-settings.ts';
import { projectText } from '../project-files.ts';

const hosts = Object.keys(addressSettings).filter((name) => name.endsWith('_HOST'));

/** Addresses that probes and other containers can reach. */
const EVERY_INTERFACE = '0.0.0.0';

test('every listener is on loopback unless its setting says otherwise', () => {
  const settings = loadEnvironment({}) as unknown as Record<string, unknown>;
  assert.ok(hosts.length > 0);
  for (const host of hosts) assert.equal(settings[host], '127.0.0.1', host);
});

test('the image listens on every interface', () => {
  const environment = /^ENV ((?:.*\\\n)*.*)$/m.exec(projectText('Dockerfile'))?.[1] ?? '';
  const values = new Map(
    environment.split(/[\s\\]+/).map((pair) => pair.split('=', 2) as [string, string]),
  );
  for (const host of hosts) assert.equal(values.get(host), EVERY_INTERFACE, host);
});

test('compose listens on every interface of the container', () => {
  const compose = parse(projectText('compose.yaml'), { merge: true }) as {
    services: { posthorn: { environment: Record<string, string> } };
  };
  const { environment } = compose.services.posthorn;
  for (const host of hosts) assert.equal(environment[host], EVERY_INTERFACE, host);
});

test('the chart listens on every interface of the pod', () => {
  const template = projectText('charts/posthorn/templates/_pod.tpl');
  const values = new Map(
    Array.from(template.matchAll(/set \$env "(POSTHORN_\w+)" "(\S+)"/g), (match) => [
      match[1],
      match[2],
    ]),
  );
  for (const host of hosts) assert.equal(values.get(host), EVERY_INTERFACE, host);
});
