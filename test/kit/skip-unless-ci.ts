import type { TestContext } from 'node:test';

/**
 * Ends a test whose needs the machine does not have: it is skipped, or fails if the variable
 * `CI` is set.
 *
 * @throws Error with the reason in CI
 */
export function skipUnlessCi(t: TestContext, reason: string): void {
  if (process.env['CI'] !== undefined) throw new Error(reason);
  t.skip(reason);
}
