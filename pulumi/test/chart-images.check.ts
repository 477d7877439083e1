/**
 * Renders every chart of others at its installed version, and compares its images with
 * `chart-images.ts`. `npm run check:images` runs it, each week in CI. It needs helm in the PATH,
 * and a way to the repositories of the charts.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { promisify } from 'node:util';
import { stringify } from 'yaml';
import { chartImages } from '../src/chart-images.ts';
import { settingTable } from '../src/setting-table.ts';
import { ACCOUNT } from '../stack-file.ts';
import { type InstalledChart, installedCharts } from './kit/installed-charts.ts';
import { imageFaults, imagesOf } from './kit/rendered-images.ts';

const directory = await mkdtemp(join(tmpdir(), 'posthorn-charts-'));
after(() => rm(directory, { recursive: true, force: true }));

const CACHE = `${ACCOUNT}.dkr.ecr.eu-central-1.amazonaws.com/cache-posthorn-prod`;

async function render(installed: InstalledChart): Promise<string> {
  const { chart, version, repoURL, namespace, values } = installed;
  const args = ['template', chart, chart, '--repo', repoURL, '--version', version];
  args.push('--namespace', namespace, '--kube-version', settingTable.clusterVersion.default);
  for (const [index, one] of values.entries()) {
    const file = join(directory, `${chart}-${index}.yaml`);
    await writeFile(file, stringify(one));
    args.push('--values', file);
  }
  const options = { timeout: 120_000, maxBuffer: 100 * 2 ** 20 };
  const { stdout } = await promisify(execFile)('helm', args, options);
  return stdout;
}

for (const installed of await installedCharts('prod')) {
  const { chart, version } = installed;
  test(`${chart} ${version} names the images of the list, through the cache`, async () => {
    const images = imagesOf(await render(installed));
    const listed = chartImages[chart]?.images ?? [];
    assert.deepEqual(imageFaults(chart, listed, images, CACHE), []);
  });
}
