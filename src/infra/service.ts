/** Something that runs until it is stopped. `stop` may be called twice, and before `start` ended. */
export interface Service {
  name: string;
  start(): Promise<void>;
  /** Finish what is in flight, within `deadlineMs`. */
  stop(deadlineMs: number): Promise<void>;
}
