import { ConfigError } from '#domain/errors.ts';

/** @throws ConfigError if the working directory, which relative paths need, was removed */
export function checkWorkingDirectory(): void {
  try {
    process.cwd();
  } catch {
    throw new ConfigError(['the working directory was removed; start posthorn in another one']);
  }
}
