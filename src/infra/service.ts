/**
 * A component that runs until it is stopped. `stop` may be called twice, and before `start` has
 * ended.
 */
export interface Service {
  name: string;
  start(): Promise<void>;
  /** Finishes the work in flight, within `deadlineMs`. */
  stop(deadlineMs: number): Promise<void>;
}
