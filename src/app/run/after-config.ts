import type { ConfigStore } from '#infra/nats/stores/config-store.ts';
import type { Log } from '#infra/telemetry/log.ts';
import type { Service } from '#infra/service.ts';

export interface AfterConfigDeps {
  service: Service;
  config: Pick<ConfigStore, 'isComplete' | 'whenComplete'>;
  log: Log;
}

/**
 * Delays a service until the configuration is loaded. With a bucket that is new or was lost, the
 * service would treat every tenant as deleted and cancel its deliveries. The start of the process
 * does not wait for it.
 */
export class AfterConfig implements Service {
  readonly name: string;
  private readonly deps: AfterConfigDeps;
  private starting: Promise<void> | undefined;
  private stopped = false;

  constructor(deps: AfterConfigDeps) {
    this.deps = deps;
    this.name = deps.service.name;
  }

  async start(): Promise<void> {
    const { config, log, service } = this.deps;
    if (config.isComplete) {
      this.starting = service.start();
      return this.starting;
    }
    log.info({ service: this.name }, 'config.waiting_for_control');
    void this.startLate();
  }

  async stop(deadlineMs: number): Promise<void> {
    this.stopped = true;
    if (this.starting === undefined) return;
    await this.starting.catch(() => undefined);
    await this.deps.service.stop(deadlineMs);
  }

  private async startLate(): Promise<void> {
    const { config, log, service } = this.deps;
    await config.whenComplete;
    if (this.stopped) return;
    this.starting = service.start();
    await this.starting.catch((error: unknown) => {
      log.error({ err: error, service: this.name }, 'service.start_failed');
    });
  }
}
