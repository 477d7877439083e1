/** CPU profiles as V8 writes them (`--cpu-prof`), read into the busy time of each function. */
import { readFileSync } from 'node:fs';

interface Node {
  id: number;
  callFrame: { functionName: string; url: string; lineNumber: number };
}

interface Profile {
  nodes: Node[];
  samples: number[];
  timeDeltas: number[];
}

/** The time in a function itself, without its callees. */
export interface FunctionTime {
  name: string;
  /** `<package> <path>`, `node:<module>` or the path below the project; empty: V8 itself. */
  place: string;
  line: number;
  microseconds: number;
}

/**
 * The functions of a profile. A function appears once for each call path. Idle time is left out.
 */
export function readProfile(file: string): FunctionTime[] {
  const profile = JSON.parse(readFileSync(file, 'utf8')) as Profile;
  const self = new Map<number, number>();
  profile.samples.forEach((id, i) => {
    self.set(id, (self.get(id) ?? 0) + (profile.timeDeltas[i] ?? 0));
  });
  return profile.nodes
    .filter(({ callFrame }) => callFrame.functionName !== '(idle)')
    .map(({ id, callFrame }) => ({
      name: callFrame.functionName,
      place: placeOf(callFrame.url),
      line: callFrame.lineNumber + 1,
      microseconds: self.get(id) ?? 0,
    }));
}

function placeOf(url: string): string {
  const inModules = /node_modules\/((?:@[^/]+\/)?[^/]+)\/(.*)$/.exec(url);
  if (inModules !== null) return `${inModules[1]} ${inModules[2]}`;
  // Of any checkout: profiles of two are compared.
  return url.replace(/^file:\/\/.*?\/src\//, 'src/').replace(/^file:\/\//, '');
}
