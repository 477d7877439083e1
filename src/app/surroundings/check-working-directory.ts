import { ConfigError } from '#domain/errors.ts';

/** @throws ConfigError if the working directory was removed: relative paths and some libraries need it */
export function checkWorkingDirectory(): void {
  try {
    process.cwd();
  } catch {
    throw new ConfigError(['the working directory was removed; start posthorn in another one']);
  }
}
