/** The commands of the installation guide, docs/operations/install.md. */
import { projectText } from '../docs/project-files.ts';
import { fencesOf } from '../docs/examples/shown-answers.ts';

export const guide = projectText('docs/operations/install.md');

/** Returns the part of the guide from a heading to the next one of its level or above. */
export function section(heading: string): string {
  const level = /^#+/.exec(heading)?.[0].length ?? 0;
  const from = guide.indexOf(`\n${heading}\n`);
  if (from < 0) throw new Error(`install.md has no "${heading}"`);
  const body = guide.slice(from + heading.length + 2);
  const isNext = new RegExp(`^#{1,${level}} `);
  const lines = body.split('\n');
  let fenced = false;
  const end = lines.findIndex((line) => {
    if (/^ *```/.test(line)) fenced = !fenced;
    return !fenced && isNext.test(line);
  });
  return lines.slice(0, end < 0 ? undefined : end).join('\n');
}

/** Returns the blocks of a text with this info string, without the indentation of a list. */
export function blocksOf(text: string, info: string): string[] {
  const flat = text.replace(/^ {3}(?=\S)/gm, '');
  return fencesOf(flat)
    .filter((fence) => fence.info === info)
    .map(({ code }) => code);
}

/** Returns the commands of shell blocks, with continued lines joined and without comments. */
export function commandsOf(text: string): string[] {
  return blocksOf(text, 'sh')
    .flatMap((block) => block.replaceAll('\\\n', ' ').split('\n'))
    .map((line) => line.replace(/\s+# .*$/, '').trim())
    .filter((line) => line !== '');
}
