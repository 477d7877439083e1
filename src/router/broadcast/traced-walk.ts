import { type Span, SpanKind, SpanStatusCode } from '@opentelemetry/api';
import { type Tracing, traceparentOf } from '#infra/telemetry/tracing.ts';
import type { BroadcastProgress } from '#wire/frames/broadcast.ts';
import { type EventFrame, encodeEventFrame } from '#wire/frames/event-frame.ts';

/** The trace of one broadcast has about this many attempts: more would crowd out other traces. */
export const TRACED_ENDPOINTS_MAX = 256;

/**
 * Traces a broadcast's walk: a consumer span, with the fan-outs of the first copies as its
 * children. Later copies carry no trace context, so they have no spans. With tracing off, every
 * copy carries the producer's context, as any event does.
 */
export class TracedWalk {
  private readonly span: Span | undefined;
  /** The frame of the first copies, and that of all later ones. */
  private readonly traced: Buffer;
  private readonly plain: Buffer;
  private endpoints = 0;

  constructor(tracing: Tracing | undefined, event: EventFrame) {
    const { head, data, bytes } = event;
    this.span = tracing?.follow(head.trace, () => ({
      name: 'process broadcasts',
      kind: SpanKind.CONSUMER,
      attributes: {
        'messaging.system': 'nats',
        'messaging.operation.name': 'process',
        'messaging.operation.type': 'process',
        'messaging.destination.name': 'broadcasts',
        'messaging.destination.template': 'bc.event.{id}',
        'messaging.message.id': head.id,
        'messaging.message.conversation_id': head.correlationId,
        'posthorn.event.type': head.type,
      },
    }));
    if (this.span === undefined) {
      this.traced = bytes;
      this.plain = bytes;
      return;
    }
    const { trace: _, ...untraced } = head;
    this.traced = encodeEventFrame({ ...head, trace: traceparentOf(this.span) }, data);
    this.plain = encodeEventFrame(untraced, data);
  }

  /**
   * Returns the frame of the next tenant's copy.
   *
   * @param endpoints how many of its endpoints match
   */
  frameFor(endpoints: number): Buffer {
    if (this.endpoints >= TRACED_ENDPOINTS_MAX) return this.plain;
    this.endpoints += endpoints;
    return this.traced;
  }

  /**
   * @param progress of the whole broadcast; absent: the walk was interrupted and will be resumed
   */
  end(progress: BroadcastProgress | undefined): void {
    const { span } = this;
    if (span === undefined) return;
    if (progress === undefined)
      span.setStatus({ code: SpanStatusCode.ERROR, message: 'broke off' });
    else {
      span.setAttribute('posthorn.broadcast.tenants', progress.tenants.done);
      span.setAttribute('posthorn.broadcast.endpoints', progress.endpoints.done);
    }
    span.setAttribute('posthorn.broadcast.endpoints_traced', this.endpoints);
    span.end();
  }
}
