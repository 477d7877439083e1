import { readFileSync, writeFileSync } from 'node:fs';
import { costTable } from '../../cost.ts';
import { prices } from '../../prices.ts';
import { type SettingRule, settingTable } from '../../src/setting-table.ts';
import { chartImages, upstreamOf, upstreams } from '../../src/chart-images.ts';
import { wildcardReasons } from '../../src/wildcard-reasons.ts';

const DOCUMENT = new URL('../../../docs/operations/cloud.md', import.meta.url);

const cell = (text: string): string => text.replaceAll('|', '\\|');

function settingsTable(): string {
  const rows = Object.entries<SettingRule>(settingTable).map(([key, rule]) => {
    const fallback = rule.default === undefined ? '**needed**' : rule.default || 'empty';
    const shown = rule.default ? `\`${fallback}\`` : fallback;
    return `| \`${key}\` | ${cell(rule.allowed)} | ${shown} | ${cell(rule.description)} |`;
  });
  return ['| Key | Allowed | Default | |', '| --- | --- | --- | --- |', ...rows].join('\n');
}

function wildcardTable(): string {
  const rows = Object.entries(wildcardReasons).map(([sid, why]) => `| \`${sid}\` | ${cell(why)} |`);
  return ['| Statement | Why |', '| --- | --- |', ...rows].join('\n');
}

function imagesTable(): string {
  const rows = Object.entries(chartImages).flatMap(([chart, { version, images }]) =>
    images.map(({ image }) => `| \`${image}\` | ${chart} ${version} | ${upstreamOf(image).way} |`),
  );
  const ways = Object.entries(upstreams).map(
    ([host, { way, reason }]) => `| \`${host}\` | ${way} | ${cell(reason)} |`,
  );
  return [
    '| Registry | Way | Why |',
    '| --- | --- | --- |',
    ...ways,
    '',
    '| Image | Chart | Way |',
    '| --- | --- | --- |',
    ...rows,
  ].join('\n');
}

const PRICES =
  `List prices of ${prices.region}, put in by hand on ${prices.asOf}: ` +
  'compare them with those of AWS before you rely on a figure.';

/** The parts of the document that the code knows better, by the name in their marks. */
const parts: Readonly<Record<string, () => string>> = {
  settings: settingsTable,
  cost: () => `${PRICES}\n\n${costTable()}`,
  wildcards: wildcardTable,
  images: imagesTable,
};

/** The document as it is, and as it should be. */
export function cloudDocument(): { written: string; expected: string } {
  const written = readFileSync(DOCUMENT, 'utf8');
  let expected = written;
  for (const [name, make] of Object.entries(parts)) {
    const [begin, end] = [`<!-- ${name} -->\n`, `\n<!-- /${name} -->`];
    const from = expected.indexOf(begin);
    const to = expected.indexOf(end);
    if (from < 0 || to < from) throw new Error(`docs/operations/cloud.md has no part ${name}`);
    expected = `${expected.slice(0, from + begin.length)}${make()}${expected.slice(to)}`;
  }
  return { written, expected };
}

export function writeCloudDocument(): void {
  writeFileSync(DOCUMENT, cloudDocument().expected);
}
