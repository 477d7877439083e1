/** The counting receiver in its own process, so that its work does not disturb the measurement. */
import { type ChildProcess, fork } from 'node:child_process';

export interface Counts {
  refused: number;
  early: number;
  delivered: number;
  doubled: number;
  /** Time of the last accepted webhook, in milliseconds since 1970. */
  lastMs: number;
}

export class ReceiverProcess {
  counts: Counts = { refused: 0, early: 0, delivered: 0, doubled: 0, lastMs: 0 };
  private readonly child: ChildProcess;

  constructor() {
    this.child = fork(new URL('counting-receiver.ts', import.meta.url));
  }

  /** @returns its port */
  start(): Promise<number> {
    return new Promise((ready) => {
      this.child.on('message', (message: Counts & { port?: number }) => {
        if (message.port === undefined) this.counts = message;
        else ready(message.port);
      });
    });
  }

  /** Until then it answers 503 with a `Retry-After` for that time. */
  takeFrom(dueMs: number): void {
    this.child.send({ dueMs });
  }

  stop(): void {
    this.child.kill();
  }
}
