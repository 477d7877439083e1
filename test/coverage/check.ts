/**
 * Compares the lines of each folder of src that the unit tests run with its floor in `floors.json`.
 */
import { globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Lines of a file, and whether a test ran each. */
export type LineHits = Map<number, boolean>;

/** Adds the lines of an lcov report to those of other reports. */
export function readReport(report: string, files: Map<string, LineHits>): void {
  let lines: LineHits = new Map();
  for (const line of report.split('\n')) {
    if (line.startsWith('SF:')) {
      const path = line.slice(3);
      lines = files.get(path) ?? new Map();
      files.set(path, lines);
    }
    const [, number, hits] = /^DA:(\d+),(\d+)/.exec(line) ?? [];
    if (number === undefined) continue;
    const known = lines.get(Number(number)) ?? false;
    lines.set(Number(number), known || Number(hits) > 0);
  }
}

export interface FolderCoverage {
  folder: string;
  /** Percent of the lines that a test ran. */
  percent: number;
  /** Lowest percentage that passes: that of the nearest folder above that has one. */
  floor: number;
}

/** @throws Error for a folder without a floor */
export function coverageByFolder(
  files: ReadonlyMap<string, LineHits>,
  floors: Readonly<Record<string, number>>,
): FolderCoverage[] {
  const folders = new Map<string, boolean[]>();
  for (const [path, lines] of files) {
    const hits = folders.get(dirname(path)) ?? [];
    hits.push(...lines.values());
    folders.set(dirname(path), hits);
  }
  return [...folders.keys()].toSorted().map((folder) => {
    const hits = folders.get(folder) ?? [];
    const percent = (100 * hits.filter(Boolean).length) / Math.max(1, hits.length);
    return { folder, percent, floor: floorOf(folder, floors) };
  });
}

function floorOf(folder: string, floors: Readonly<Record<string, number>>): number {
  const floor = floors[folder];
  if (floor !== undefined) return floor;
  if (folder === '.') throw new Error('test/coverage/floors.json has no floor for src');
  return floorOf(dirname(folder), floors);
}

/**
 * Prints the coverage of each folder.
 *
 * @returns whether all reach their floors
 */
export function checkCoverage(reports: string): boolean {
  const files = new Map<string, LineHits>();
  for (const name of globSync('*.lcov', { cwd: reports })) {
    readReport(readFileSync(join(reports, name), 'utf8'), files);
  }
  const floors = readFileSync(join(import.meta.dirname, 'floors.json'), 'utf8');
  const folders = coverageByFolder(files, JSON.parse(floors) as Record<string, number>);
  for (const { folder, percent, floor } of folders) {
    const verdict = percent < floor ? `BELOW ${floor}` : '';
    process.stdout.write(`${percent.toFixed(1).padStart(6)} %  ${folder}  ${verdict}\n`);
  }
  return folders.every(({ percent, floor }) => percent >= floor);
}
