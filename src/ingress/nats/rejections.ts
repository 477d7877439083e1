/** Stores rejected messages that had no reply subject in the stream REJECTED, for a week (IN-4). */
import { Counter, type Registry } from 'prom-client';
import type { Clock } from '#domain/clock.ts';
import type { PosthornError } from '#domain/errors.ts';
import { limits } from '#domain/limits.ts';
import { lifeIdOf } from '#domain/tenant.ts';
import type { Publisher } from '#infra/nats/publish/publisher.ts';
import type { Log } from '#infra/telemetry/log.ts';
import type { ConfigView } from '#wire/config-snapshot.ts';
import { problemOf } from '#wire/problem.ts';
import { encodeRejectedFrame } from '#wire/frames/rejected-event.ts';
import { subjects } from '#wire/subjects.ts';

export interface RejectionsDeps {
  config: Pick<ConfigView, 'currentTenant'>;
  publisher: Publisher;
  registry: Registry;
  publishTimeoutMs: number;
  log: Log;
  clock: Clock;
}

export interface Rejection {
  id: string;
  subject: string;
  tenant: string;
  type: string;
  body: Buffer;
  error: PosthornError;
}

export class Rejections {
  private readonly deps: RejectionsDeps;
  private readonly rejected: Counter<'result'>;

  constructor(deps: RejectionsDeps) {
    this.deps = deps;
    this.rejected = new Counter({
      name: 'posthorn_ingress_rejected_total',
      help: 'Rejected messages of NATS producers that had no reply subject.',
      labelNames: ['result'],
      registers: [deps.registry],
    });
  }

  /** Without a known tenant there is no list to store it in: it is counted and logged. */
  add(rejection: Rejection): void {
    const { id, subject, type, body, error } = rejection;
    const tenant = this.deps.config.currentTenant(rejection.tenant);
    if (tenant === undefined) {
      this.notKept(rejection, 'the tenant is not known');
      return;
    }
    const payload = encodeRejectedFrame(
      {
        id,
        type,
        rejectedMs: this.deps.clock.wallMs(),
        bytes: body.length,
        problem: problemOf(error, subject, id),
      },
      body.subarray(0, limits.rejectedBodyKeptBytesMax),
    );
    const publication = {
      subject: subjects.rejected(lifeIdOf(tenant)),
      payload,
      messageId: id,
      timeoutMs: this.deps.publishTimeoutMs,
      failsWhenFull: true,
    } as const;
    const taken = this.deps.publisher.publish(publication, (fault) => {
      if (fault === undefined) this.rejected.inc({ result: 'kept' });
      else this.notKept(rejection, fault.message);
    });
    if (!taken) this.notKept(rejection, 'too much is under way');
  }

  private notKept({ id, error }: Rejection, why: string): void {
    this.rejected.inc({ result: 'not_kept' });
    this.deps.log.warn({ request_id: id, code: error.code, why }, 'ingress.rejection_not_kept');
  }
}
