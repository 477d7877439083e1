import type { TestServer } from './servers.ts';

/** A server that can be killed or paused, and that comes back on the same folder and port. */
export class RestartableServer {
  private current: TestServer;

  constructor(server: TestServer) {
    this.current = server;
  }

  get url(): string {
    return this.current.url;
  }

  /** With SIGKILL: resolves when it is gone. */
  kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    return this.current.kill(signal);
  }

  /** After a kill: resolves when it answers again. */
  async restart(): Promise<void> {
    this.current = await this.current.restart();
  }

  dispose(): Promise<void> {
    return this.current.dispose();
  }
}
