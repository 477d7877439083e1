import { globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const projectRoot = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

export interface ProjectFile {
  /** A path from the root of the project, with slashes. */
  path: string;
  text: string;
}

/** Returns the files that match a pattern, sorted by path. */
export function projectFiles(...patterns: string[]): ProjectFile[] {
  return globSync(patterns, { cwd: projectRoot, exclude: ['node_modules', '**/node_modules'] })
    .toSorted()
    .map((path) => ({ path, text: readFileSync(join(projectRoot, path), 'utf8') }));
}

export const sourceFiles = (): ProjectFile[] => projectFiles('src/**/*.ts');
export const markdownFiles = (): ProjectFile[] =>
  projectFiles('*.md', 'docs/**/*.md', 'src/**/*.md');

/**
 * Reads the text of one file.
 *
 * @throws Error if it does not exist
 */
export function projectText(path: string): string {
  return readFileSync(join(projectRoot, path), 'utf8');
}

/** Returns the prose of a Markdown text, which is everything outside fenced blocks. */
export function withoutFences(text: string): string {
  return text.replace(/^```[\s\S]*?^```/gm, '');
}
