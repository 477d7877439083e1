import assert from 'node:assert/strict';
import type { Recorded } from './record-platform.ts';

/** The resources of a type, given by its end, such as `ec2/vpc:Vpc`; there has to be one. */
export function allOf(resources: readonly Recorded[], type: string): Recorded[] {
  const found = resources.filter((resource) => resource.type.endsWith(`:${type}`));
  assert.ok(found.length > 0, `the program makes a ${type}`);
  return found;
}

/** The only resource of a type. */
export function onlyOf(resources: readonly Recorded[], type: string): Recorded {
  const found = allOf(resources, type);
  assert.equal(found.length, 1, `the program makes one ${type}`);
  return found[0] as Recorded;
}

export function namesOf(resources: readonly Recorded[]): string[] {
  return resources.map(({ name }) => name).toSorted();
}
