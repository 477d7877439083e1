/** An OTLP receiver in its own process, so that its work does not disturb the measurement. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { OtlpReceiver } from '../../test/kit/otlp-receiver.ts';

export class OtlpProcess {
  private readonly child: ChildProcess;
  private readonly started: Promise<string>;

  constructor() {
    this.child = fork(import.meta.filename);
    this.started = once(this.child, 'message').then(
      ([message]) => (message as { url: string }).url,
    );
  }

  /** URL for the collector setting of a system. */
  url(): Promise<string> {
    return this.started;
  }

  /** The number of spans so far. */
  async spans(): Promise<number> {
    const answer = once(this.child, 'message');
    this.child.send('count');
    const [message] = await answer;
    return (message as { spans: number }).spans;
  }

  stop(): void {
    this.child.kill();
  }
}

if (import.meta.main) {
  const receiver = await OtlpReceiver.start();
  process.on('message', () => process.send?.({ spans: receiver.spans.length }));
  process.on('disconnect', () => process.exit());
  process.send?.({ url: receiver.url });
}
