const POLL_EVERY_MS = 250;

export interface Launcher {
  env: Record<string, string | undefined>;
  /** Current process id of the parent. */
  parentPid: () => number;
}

/**
 * Calls `onGone` once when the package manager that runs `npm start` has ended. npm forwards
 * SIGTERM and SIGINT, but cannot forward anything when SIGHUP or SIGKILL ends it. Its child would
 * then keep the ports and the data folder. Only a package manager is watched: a program started in
 * another way may outlive its shell.
 *
 * @returns a function that ends the watch
 */
export function followLauncher({ env, parentPid }: Launcher, onGone: () => void): () => void {
  const isNpmStart =
    env['npm_lifecycle_event'] === 'start' && env['npm_package_name'] === 'posthorn';
  if (!isNpmStart) return () => undefined;
  const first = parentPid();
  const timer = setInterval(() => {
    if (parentPid() === first) return;
    clearInterval(timer);
    onGone();
  }, POLL_EVERY_MS);
  timer.unref();
  return () => clearInterval(timer);
}
