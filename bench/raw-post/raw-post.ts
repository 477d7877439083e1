/**
 * The yardstick of the bench: the CPU of one signed POST with undici alone. It moves with the
 * machine as the platform's own CPU does, so a multiple of it compares across machines.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';

/** V8 has fully optimized the sender after the first 20,000 (measured). */
const WARM_UP_POSTS = 20_000;
const POSTS = 10_000;

/** A sender and a receiver on loopback, each in its own process. */
export class RawPost {
  private readonly sender: ChildProcess;
  private readonly receiver: ChildProcess;

  private constructor(sender: ChildProcess, receiver: ChildProcess) {
    this.sender = sender;
    this.receiver = receiver;
  }

  static async start(): Promise<RawPost> {
    const receiver = fork(new URL('receiver.ts', import.meta.url));
    const [port] = (await once(receiver, 'message')) as [number];
    const sender = fork(new URL('sender.ts', import.meta.url), [String(port)]);
    const rawPost = new RawPost(sender, receiver);
    await rawPost.send(WARM_UP_POSTS);
    return rawPost;
  }

  /** CPU of the sender for one POST, in milliseconds. Takes about a second. */
  cpuMs(): Promise<number> {
    return this.send(POSTS);
  }

  stop(): void {
    this.sender.kill();
    this.receiver.kill();
  }

  private async send(posts: number): Promise<number> {
    this.sender.send(posts);
    const [ms] = (await once(this.sender, 'message')) as [number];
    return ms;
  }
}
