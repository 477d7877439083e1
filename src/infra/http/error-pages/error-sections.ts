import { readFileSync } from 'node:fs';
import { errorCatalogue, type ErrorCode } from '#domain/errors.ts';

/** The catalogue of errors, with the meaning and the remedy of each code. */
const CATALOGUE = new URL('../../../../docs/errors.md', import.meta.url);

let sections: ReadonlyMap<string, string> | undefined;

/**
 * Returns the section of docs/errors.md about a code, in Markdown. The file is read once, when the
 * first page is asked for. An installation without the file gets the title of the code.
 */
export function errorSection(code: ErrorCode): string {
  sections ??= readSections();
  const [status, title] = errorCatalogue[code];
  return sections.get(code) ?? `**${status}** ${title}.`;
}

function readSections(): ReadonlyMap<string, string> {
  let text: string;
  try {
    text = readFileSync(CATALOGUE, 'utf8');
  } catch {
    return new Map();
  }
  return sectionsOf(text);
}

/** Returns the sections of a document in Markdown below its headings of the third level. */
export function sectionsOf(text: string): Map<string, string> {
  const parts = text.split(/^### /m).slice(1);
  return new Map(
    parts.map((part) => {
      const end = part.indexOf('\n');
      // The last section of a chapter ends where the next chapter begins.
      const [body = ''] = part.slice(end + 1).split(/^## /m);
      return [part.slice(0, end).trim(), body.trim()];
    }),
  );
}
