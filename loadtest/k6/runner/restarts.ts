import type { Role } from '#config/schema.ts';

/** One process that was stopped and started again under load. */
export interface Restart {
  role: Role;
  /** 0 means an orderly end. */
  exitCode: number | null;
  /** From SIGTERM to its end. */
  stopMs: number;
  /** From its start until it was ready. */
  startMs: number;
  /** Deliveries during the restart, by the other processes. */
  delivered: number;
}

export interface Restarts {
  done: readonly Restart[];
  /** The number of processes to restart. */
  due: number;
}

/** Whether every process was restarted under load, and ended in order. */
export function allRestarted({ done, due }: Restarts): boolean {
  return done.length === due && done.every((one) => one.exitCode === 0 && one.delivered > 0);
}
