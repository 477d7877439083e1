import type { NatsLogin } from '../login.ts';

/** The start data of the renewing thread. */
export interface LeaseWorkerData {
  url: string;
  name: string;
  login: NatsLogin;
  /** A counter that grows with each turn of the owner's event loop that its timer sees. */
  progress: SharedArrayBuffer;
  /** `sharedClockOffsetMs` of the owner. */
  ownerOffsetMs: number;
}

/** From the owner to the thread. */
export type LeaseRequest =
  | { kind: 'alive'; key: string; value: string }
  | { kind: 'hold'; key: string; value: string; revision: number; end: SharedArrayBuffer }
  | { kind: 'release'; key: string; request: number };

/** From the thread to the owner. */
export type LeaseNotice =
  | { kind: 'ready' }
  | { kind: 'released'; request: number; revision: number | undefined }
  | { kind: 'log'; level: 'warn' | 'error'; facts: Record<string, unknown>; name: string };
