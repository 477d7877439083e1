const LOOK_EVERY_MS = 250;

export interface Launcher {
  env: Record<string, string | undefined>;
  /** Process id of the parent now. */
  parentPid: () => number;
}

/**
 * Calls `onGone` once when the package manager that runs `npm start` has ended. npm passes SIGTERM and SIGINT on, but
 * nothing is passed on by one that dies of SIGHUP or SIGKILL: its program would go on, and hold the ports and the
 * data folder. A program that something else started is not followed: it may outlive its shell.
 *
 * @returns ends the watch
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
  }, LOOK_EVERY_MS);
  timer.unref();
  return () => clearInterval(timer);
}
