import type { TestServer } from './servers.ts';

/** A server that can be killed, paused and restarted on the same folder and port. */
export class RestartableServer {
  private current: TestServer;

  constructor(server: TestServer) {
    this.current = server;
  }

  get url(): string {
    return this.current.url;
  }

  /** With SIGKILL, resolves when the process has ended. */
  kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    return this.current.kill(signal);
  }

  /** Restarts after a kill; resolves when the server answers. */
  async restart(): Promise<void> {
    this.current = await this.current.restart();
  }

  dispose(): Promise<void> {
    return this.current.dispose();
  }
}
