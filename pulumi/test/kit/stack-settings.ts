import { type Settings, readSettings } from '../../src/config.ts';
import { EXAMPLE_OWNER, EXAMPLE_RECOVERY, readStackFile } from '../../stack-file.ts';

/** A committed stack, as its owner completed it, with changes of a test. */
export function stackConfig(
  stack: string,
  changes: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const given = stack === 'prod-recovery' ? EXAMPLE_RECOVERY : {};
  const own = Object.entries(changes).map(([key, value]) => [`posthorn:${key}`, value] as const);
  return { ...readStackFile(stack), ...EXAMPLE_OWNER, ...given, ...Object.fromEntries(own) };
}

export function stackSettings(
  stack: string,
  changes: Readonly<Record<string, string>> = {},
): Settings {
  return readSettings(stackConfig(stack, changes));
}
