/** The prose of Markdown, and of files whose comments begin with `#`. */
import { type Passage, plainText } from './passage.ts';

/** One passage for each paragraph, list item, table cell and heading. Fenced blocks are left out. */
export function readMarkdown(file: string, source: string): Passage[] {
  const passages: Passage[] = [];
  let paragraph: { line: number; lines: string[] } | undefined;
  const add = (line: number, text: string, kind: Passage['kind']) => {
    if (/[a-z]{2}/i.test(text)) passages.push({ file, line, kind, text: plainText(text) });
  };
  const end = () => {
    if (paragraph !== undefined) add(paragraph.line, paragraph.lines.join('\n'), 'document');
    paragraph = undefined;
  };
  for (const [index, line] of outsideFences(source).entries()) {
    const number = index + 1;
    const isItem = /^\s*(?:[-*+]|\d+\.)\s/.test(line);
    if (line.trim() === '' || /^\s*\||^#|^\s*>/.test(line) || isItem) end();
    if (/^#+ /.test(line)) add(number, line.replace(/^#+ /, ''), 'heading');
    else if (/^\s*\|/.test(line)) {
      for (const cell of line.split('|')) add(number, cell.trim(), 'document');
    } else if (line.trim() !== '') {
      paragraph ??= { line: number, lines: [] };
      paragraph.lines.push(line.replace(/^\s*(?:[-*+]|\d+\.|>)\s/, ''));
    }
  }
  end();
  return passages;
}

/** The lines; those of fenced blocks and of comments are empty. */
function outsideFences(source: string): string[] {
  let fence: string | undefined;
  return source.split('\n').map((line) => {
    const [, mark] = /^\s*(```+|~~~+)/.exec(line) ?? [];
    if (mark !== undefined && (fence === undefined || mark.startsWith(fence))) {
      fence = fence === undefined ? mark : undefined;
      return '';
    }
    return fence === undefined ? line : '';
  });
}

/** One passage for each run of comment lines. A `#` after code on its line is not read. */
export function readHashComments(file: string, source: string): Passage[] {
  const passages: Passage[] = [];
  let run: { line: number; lines: string[] } | undefined;
  const end = () => {
    if (run !== undefined) {
      const text = plainText(run.lines.join('\n'));
      passages.push({ file, line: run.line, kind: 'comment', text });
    }
    run = undefined;
  };
  for (const [index, line] of source.split('\n').entries()) {
    const [, text] = /^\s*#(?!!)+ ?(.*)$/.exec(line) ?? [];
    if (text === undefined || text === '') {
      end();
      continue;
    }
    run ??= { line: index + 1, lines: [] };
    run.lines.push(text);
  }
  end();
  return passages;
}
