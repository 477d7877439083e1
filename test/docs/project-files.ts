import { globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const projectRoot = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

export interface ProjectFile {
  /** From the root of the project, with slashes. */
  path: string;
  text: string;
}

/** The files that a pattern matches, in the order of their paths. */
export function projectFiles(...patterns: string[]): ProjectFile[] {
  return globSync(patterns, { cwd: projectRoot, exclude: ['node_modules', '**/node_modules'] })
    .toSorted()
    .map((path) => ({ path, text: readFileSync(join(projectRoot, path), 'utf8') }));
}

export const sourceFiles = (): ProjectFile[] => projectFiles('src/**/*.ts');
export const markdownFiles = (): ProjectFile[] =>
  projectFiles('*.md', 'docs/**/*.md', 'src/**/*.md');

/** One file's text. @throws Error where it is not there */
export function projectText(path: string): string {
  return readFileSync(join(projectRoot, path), 'utf8');
}

/** The prose of a Markdown text: everything outside fenced blocks. */
export function withoutFences(text: string): string {
  return text.replace(/^```[\s\S]*?^```/gm, '');
}
