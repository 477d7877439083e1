/**
 * Prints where a CPU profile spends its time: `node bench/profile-top.ts FILE.cpuprofile [rows]`.
 */
import { readProfile } from './profile.ts';

const [file, rows = '40'] = process.argv.slice(2);
if (file === undefined) throw new Error('usage: node bench/profile-top.ts FILE.cpuprofile [rows]');

const byFunction = new Map<string, number>();
const byPart = new Map<string, number>();
let busy = 0;

function add(times: Map<string, number>, key: string, time: number): void {
  times.set(key, (times.get(key) ?? 0) + time);
}

for (const { name, place, line, microseconds } of readProfile(file)) {
  // Native code is neither ours nor idle: shown, but not counted as busy.
  if (name === '(program)') {
    add(byPart, name, microseconds);
    continue;
  }
  busy += microseconds;
  add(byFunction, `${name || '(anonymous)'} ${place}:${line}`, microseconds);
  const part = place.startsWith('src/')
    ? place.split('/').slice(0, 3).join('/')
    : (place.split(' ')[0] as string);
  add(byPart, part === '' ? name : part, microseconds);
}

function print(title: string, times: Map<string, number>): void {
  console.log(`\n${title} (of ${(busy / 1e6).toFixed(2)} s busy)`);
  const sorted = [...times].toSorted((a, b) => b[1] - a[1]).slice(0, Number(rows));
  for (const [name, time] of sorted) {
    console.log(`${((100 * time) / busy).toFixed(1).padStart(6)} %  ${name}`);
  }
}

print('By part', byPart);
print('By function', byFunction);
