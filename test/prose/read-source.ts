/** The prose of a TypeScript file: comments, texts in strings, names of tests. */
import { type Comment, parseSync } from 'oxc-parser';
import { type Passage, plainText } from './passage.ts';
import { lineFinder, type Node, walk } from './syntax.ts';

/** Strings of fewer words are names, not prose. */
const TEXT_WORDS_MIN = 4;
const TEST_FUNCTIONS = new Set(['test', 'it', 'describe', 'suite']);

export function readSource(file: string, code: string): Passage[] {
  const { program, comments, errors } = parseSync(file, code);
  if (errors.length > 0) throw new Error(`${file} cannot be parsed: ${errors[0]?.message}`);
  const lineOf = lineFinder(code);
  const passages = joinLines(comments, code).map(({ start, text }): Passage => {
    return { file, line: lineOf(start), kind: 'comment', text: plainText(text) };
  });
  walk(program as unknown as Node, (node, parent) => {
    const text = textOf(node);
    if (text === undefined || text.split(/\s+/).length < TEXT_WORDS_MIN) return;
    if (parent?.type === 'ImportDeclaration') return;
    const kind = isTestName(node, parent) ? 'test name' : 'text';
    passages.push({ file, line: lineOf(node.start), kind, text: plainText(text) });
  });
  return passages;
}

/** Line comments one below the other are one text. */
function joinLines(comments: readonly Comment[], code: string): { start: number; text: string }[] {
  const joined: { start: number; end: number; text: string }[] = [];
  for (const { type, value, start, end } of comments) {
    if (/^\s*(?:oxlint|oxfmt|@ts|node:coverage)/.test(value)) continue;
    const last = joined.at(-1);
    const isNextLine = last !== undefined && /^\n[ \t]*$/.test(code.slice(last.end, start));
    if (type === 'Line' && isNextLine && code.startsWith('//', last.start)) {
      last.text += `\n${value}`;
      last.end = end;
    } else {
      joined.push({ start, end, text: type === 'Block' ? withoutStars(value) : value });
    }
  }
  return joined;
}

/** Each tag of a docstring starts a paragraph of its own. */
function withoutStars(value: string): string {
  return value
    .replaceAll(/^[ \t]*\*+ ?/gm, '')
    .replaceAll(/^@(?:param|returns|throws)(?: [\w.]+)?/gm, '\u2029');
}

function textOf(node: Node): string | undefined {
  if (node.type === 'Literal') return typeof node['value'] === 'string' ? node['value'] : undefined;
  if (node.type !== 'TemplateLiteral') return undefined;
  const quasis = node['quasis'] as { value: { cooked: string | null } }[];
  return quasis.map(({ value }) => value.cooked ?? '').join('code');
}

function isTestName(node: Node, parent: Node | undefined): boolean {
  if (parent?.type !== 'CallExpression') return false;
  const { callee, arguments: given } = parent as unknown as { callee: Node; arguments: Node[] };
  const isTest = callee.type === 'Identifier' && TEST_FUNCTIONS.has(String(callee['name']));
  return given[0] === node && (isTest || isSubtest(callee));
}

/** `t.test(…)`. */
function isSubtest(callee: Node): boolean {
  const property = callee['property'] as Node | undefined;
  return callee.type === 'MemberExpression' && property?.['name'] === 'test';
}
