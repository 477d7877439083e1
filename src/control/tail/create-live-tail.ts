import { type ControlDeps, managerOf } from '../composition/control-deps.ts';
import { LiveTail } from './live-tail.ts';
import { TailFeed } from './tail-feed.ts';

/** The part that streams events, deliveries and attempts as they happen. */
export function createLiveTail({ settings, http, nc, lives, clock, log }: ControlDeps): LiveTail {
  const { shards } = settings;
  return new LiveTail({
    shards,
    writeTimeoutMs: http.writeTimeoutMs,
    createFeed: (onMessage) => new TailFeed({ shards, jsm: managerOf(nc), log, onMessage }),
    lives,
    clock,
  });
}
