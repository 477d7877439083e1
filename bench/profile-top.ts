/**
 * Prints where a CPU profile spends its time: `node bench/profile-top.ts FILE.cpuprofile [rows]`.
 * With `--against FILE`, it prints the largest differences from another profile of the same load,
 * in milliseconds. A moved function counts as the same if it kept its name and file name.
 */
import { parseArgs } from 'node:util';
import { type FunctionTime, readProfile } from './profile.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { against: { type: 'string' } },
});
const [file, rows = '40'] = positionals;
if (file === undefined) {
  throw new Error('usage: node bench/profile-top.ts FILE.cpuprofile [rows] [--against FILE]');
}

/** Milliseconds by key. */
type Times = Map<string, number>;

interface Summary {
  busyMs: number;
  byPart: Times;
  byFunction: Times;
}

function add(times: Times, key: string, microseconds: number): void {
  times.set(key, (times.get(key) ?? 0) + microseconds / 1000);
}

function summary(path: string, keyOf: (time: FunctionTime) => string): Summary {
  const result: Summary = { busyMs: 0, byPart: new Map(), byFunction: new Map() };
  for (const time of readProfile(path)) {
    const { name, place, microseconds } = time;
    // Native code is neither ours nor idle: shown, but not counted as busy.
    if (name === '(program)') {
      add(result.byPart, name, microseconds);
      continue;
    }
    result.busyMs += microseconds / 1000;
    add(result.byFunction, `${name || '(anonymous)'} ${keyOf(time)}`, microseconds);
    const part = place.startsWith('src/')
      ? place.split('/').slice(0, 3).join('/')
      : (place.split(' ')[0] as string);
    add(result.byPart, part === '' ? name : part, microseconds);
  }
  return result;
}

function print(title: string, times: Times, busyMs: number): void {
  console.log(`\n${title} (of ${(busyMs / 1000).toFixed(2)} s busy)`);
  const sorted = [...times].toSorted((a, b) => b[1] - a[1]).slice(0, Number(rows));
  for (const [name, ms] of sorted) {
    console.log(`${((100 * ms) / busyMs).toFixed(1).padStart(6)} %  ${name}`);
  }
}

function printDifferences(title: string, own: Times, other: Times): void {
  console.log(`\n${title}: ms more than the other, own, other`);
  const differences = [...new Set([...own.keys(), ...other.keys()])]
    .map((key) => ({ key, own: own.get(key) ?? 0, other: other.get(key) ?? 0 }))
    .toSorted((a, b) => Math.abs(b.own - b.other) - Math.abs(a.own - a.other));
  for (const row of differences.slice(0, Number(rows))) {
    const cells = [row.own - row.other, row.own, row.other];
    console.log(`${cells.map((ms) => ms.toFixed(0).padStart(7)).join('')}  ${row.key}`);
  }
}

if (values.against === undefined) {
  const own = summary(file, ({ place, line }) => `${place}:${line}`);
  print('By part', own.byPart, own.busyMs);
  print('By function', own.byFunction, own.busyMs);
} else {
  const keyOf = ({ place }: FunctionTime): string => place.split('/').at(-1) as string;
  const [own, other] = [summary(file, keyOf), summary(values.against, keyOf)];
  console.log(`busy: ${own.busyMs.toFixed(0)} ms, other: ${other.busyMs.toFixed(0)} ms`);
  printDifferences('By part', own.byPart, other.byPart);
  printDifferences('By function', own.byFunction, other.byFunction);
}
