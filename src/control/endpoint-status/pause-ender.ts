/**
 * Resumes endpoints whose pause has ended (CT-2). Every control process looks for them once a
 * second; the change is conditional, so that one of them makes it. A process that dies leaves it to
 * the others, or to the next start. While MongoDB is down pauses do not end. Only control's clock
 * decides.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { isPosthornError } from '#domain/errors.ts';
import type { EndpointDocument } from '#infra/mongo/configuration.ts';
import type { Service } from '#infra/service.ts';
import type { Log } from '#infra/telemetry/log.ts';
import { RepeatingFault } from '#infra/telemetry/repeating-fault.ts';
import type { ConfigurationDeps, TenantChange } from '../config-sync/change-tenant.ts';
import { changeEndpoint } from './change-endpoint.ts';
import { activeFields } from './pauses.ts';

const EVERY_MS = 1000;
/** Endpoints resumed between two looks. */
const AT_ONCE = 100;

export interface PauseEnderDeps extends ConfigurationDeps {
  log: Log;
}

export class PauseEnder implements Service {
  readonly name = 'pause-ender';
  private readonly deps: PauseEnderDeps;
  private readonly fault: RepeatingFault;
  private readonly stopping = new AbortController();
  private running: Promise<void> = Promise.resolve();

  constructor(deps: PauseEnderDeps) {
    this.deps = deps;
    this.fault = new RepeatingFault(deps.log, 'endpoint.pauses_not_ended', deps.clock.monotonicMs);
  }

  async start(): Promise<void> {
    this.running = this.run();
  }

  async stop(deadlineMs: number): Promise<void> {
    this.stopping.abort();
    await Promise.race([this.running, delay(deadlineMs, undefined, { ref: false })]);
  }

  private async run(): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      const ended = await this.endSome().catch((error: unknown) => {
        this.fault.failed(error as Error);
        return 0;
      });
      if (ended < AT_ONCE) await delay(EVERY_MS, undefined, { signal }).catch(() => {});
    }
  }

  private async endSome(): Promise<number> {
    const { configuration, clock } = this.deps;
    const due = await configuration.endpoints
      .find({ 'pause.ends_at': { $lte: new Date(clock.wallMs()) } })
      .project<Pick<EndpointDocument, '_id' | 'tenant'>>({ tenant: 1 })
      .limit(AT_ONCE)
      .toArray();
    let ended = 0;
    for (const { _id, tenant } of due) if (await this.end(tenant, _id)) ended++;
    return ended;
  }

  /** Logs a fault: one endpoint must not keep the others paused. @returns whether it ended */
  private async end(tenant: string, id: string): Promise<boolean> {
    try {
      await changeEndpoint(this.deps, { tenant, id }, endedFields, () => undefined);
      this.deps.log.info({ tenant_id: tenant, endpoint_id: id }, 'endpoint.pause_ended');
      return true;
    } catch (error) {
      const isDeleted = isPosthornError(error) && error.status === 404;
      if (!isDeleted) this.fault.failed(error as Error);
      return false;
    }
  }
}

function endedFields(
  known: EndpointDocument,
  { now, size }: TenantChange,
): Partial<EndpointDocument> | undefined {
  size.isBounded = false;
  const endsAt = known.pause?.ends_at;
  // Another process resumed it, or a request changed the pause.
  if (!endsAt || endsAt > now) return undefined;
  return known.state === 'paused' ? activeFields(now) : { pause: null };
}
