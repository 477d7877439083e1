/** Prints where a CPU profile spends its time: `node bench/profile-top.ts FILE.cpuprofile [rows]`. */
import { readFileSync } from 'node:fs';

interface Node {
  id: number;
  callFrame: { functionName: string; url: string; lineNumber: number };
  children?: number[];
}
interface Profile {
  nodes: Node[];
  samples: number[];
  timeDeltas: number[];
}

const [file, rows = '40'] = process.argv.slice(2);
if (file === undefined) throw new Error('usage: node bench/profile-top.ts FILE.cpuprofile [rows]');
const profile = JSON.parse(readFileSync(file, 'utf8')) as Profile;

const self = new Map<number, number>();
profile.samples.forEach((id, i) => {
  self.set(id, (self.get(id) ?? 0) + (profile.timeDeltas[i] ?? 0));
});

/** `node_modules/<package>`, `node:<module>` or the path below the project. */
function place(node: Node): string {
  const { url } = node.callFrame;
  const inModules = /node_modules\/((?:@[^/]+\/)?[^/]+)\/(.*)$/.exec(url);
  if (inModules !== null) return `${inModules[1]} ${inModules[2]}`;
  return url.replace(/^file:\/\//, '').replace(`${process.cwd()}/`, '');
}

const byFunction = new Map<string, number>();
const byPart = new Map<string, number>();
let busy = 0;
for (const node of profile.nodes) {
  const time = self.get(node.id) ?? 0;
  const { functionName, lineNumber } = node.callFrame;
  if (functionName === '(idle)' || functionName === '(program)') {
    if (functionName === '(program)')
      byPart.set('(program)', (byPart.get('(program)') ?? 0) + time);
    continue;
  }
  busy += time;
  const where = place(node);
  const name = `${functionName || '(anonymous)'} ${where}:${lineNumber + 1}`;
  byFunction.set(name, (byFunction.get(name) ?? 0) + time);
  const part = where.startsWith('src/')
    ? where.split('/').slice(0, 3).join('/')
    : where.split(' ')[0];
  const key = part === '' ? functionName : (part as string);
  byPart.set(key, (byPart.get(key) ?? 0) + time);
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
