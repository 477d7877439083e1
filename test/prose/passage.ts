/** A piece of prose that people read, with its place. */
export interface Passage {
  file: string;
  /** Line of its first character, from 1. */
  line: number;
  kind: 'comment' | 'text' | 'test name' | 'document' | 'heading';
  /** Plain text without code, addresses and markup. Line breaks are kept. */
  text: string;
}

/** Removes code, addresses, link targets, emphasis and HTML. Each line keeps its number. */
export function plainText(text: string): string {
  return text
    .replaceAll(/`[^`\n]*(?:\n[^`\n]*)?`/g, (code) => `code${code.includes('\n') ? '\n' : ''}`)
    .replaceAll(/\]\([^)\s]*\)/g, ']')
    .replaceAll(/<?https?:\/\/[^\s>)]+>?/g, 'link')
    .replaceAll(/<\/?[a-z!][^>\n]*>/gi, '')
    .replaceAll(/[[\]*_]/g, '');
}
