/**
 * The commands of docs/operations/install.md name existing objects, and their helm values render.
 */
import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeTempDir } from '#testkit/temp-dir.ts';
import { parse } from 'yaml';
import { projectFiles, projectRoot, projectText } from '../docs/project-files.ts';
import { at, conform, render } from './manifests.ts';
import { tools, without } from './tools.ts';

const guide = projectText('docs/operations/install.md');
const blocks = (info: string): string[] =>
  [...guide.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)]
    .filter(([, given]) => given === info)
    .map(([, , text]) => text as string);
const commands = blocks('sh').flatMap((block) => block.trim().split('\n'));

test('files and services that the commands name exist', () => {
  assert.ok(commands.length >= 10, 'the commands were found');
  const services = Object.keys(
    at(parse(projectText('compose.yaml'), { merge: true }), 'services') as object,
  );
  for (const command of commands) {
    for (const [, path = ''] of command.matchAll(/\s((?:charts|argocd)\/\S+)/g)) {
      assert.ok(existsSync(join(projectRoot, path)), command);
    }
    const service = /^docker compose exec (\S+)/.exec(command)?.[1];
    if (service !== undefined) assert.ok(services.includes(service), command);
    assert.match(command, /^(docker compose|kubectl|helm|npm) /, 'a command that no check knows');
  }
});

test(
  'the values and the named objects of the guide render',
  {
    skip: without(tools.helm) || without(tools.kubeconform),
  },
  async (t) => {
    const dir = await makeTempDir();
    t.after(() => dir.remove());
    const [values = ''] = blocks('yaml');
    const file = join(dir.path, 'my-values.yaml');
    writeFileSync(file, values);
    const manifests = await render('charts/posthorn', { values: [file] });
    await conform(manifests);
    const names = new Set(
      manifests.map(({ kind, metadata }) => `${kind.toLowerCase()}/${metadata.name}`),
    );
    for (const command of commands) {
      for (const [, name = ''] of command.matchAll(/\s((?:job|service)\/\S+)/g)) {
        assert.ok(names.has(name), command);
      }
    }
  },
);

test(
  'the chart accepts the values that other pages add',
  { skip: without(tools.helm) },
  async (t) => {
    const dir = await makeTempDir();
    t.after(() => dir.remove());
    const [smallest = ''] = blocks('yaml');
    const known = Object.keys(parse(projectText('charts/posthorn/values.yaml')) as object);
    const files = [join(dir.path, 'smallest.yaml'), join(dir.path, 'added.yaml')] as const;
    writeFileSync(files[0], smallest);
    let rendered = 0;
    for (const { path, text } of projectFiles('docs/operations/*.md')) {
      // The first values of the install guide are tested above. The others belong to other charts.
      if (path.endsWith('/install.md')) continue;
      for (const [, added = ''] of text.matchAll(/^ *```yaml\n([\s\S]*?)^ *```$/gm)) {
        const isOfChart = Object.keys(parse(added) as object).every((key) => known.includes(key));
        if (!isOfChart) continue;
        writeFileSync(files[1], added);
        await render('charts/posthorn', { values: [...files] });
        rendered++;
      }
    }
    assert.ok(rendered >= 4, 'the values were found');
  },
);

test('the Secret of the guide has the keys that the chart reads', () => {
  const told = [...guide.matchAll(/^\| `([a-z]+[A-Z]\w*)` \|/gm)].map(([, key]) => key);
  const template = projectText('charts/posthorn/templates/_secrets.tpl');
  const asked = [...template.matchAll(/set \$keys "(\w+)"/g)].map(([, key]) => key);
  assert.deepEqual(new Set(told), new Set(asked));
});
