import {
  type Attributes,
  type Link,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  type SpanKind,
  TraceFlags,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import { formatTraceparent, parseTraceparent } from '#wire/frames/trace-context.ts';

export interface SpanStart {
  name: string;
  kind: SpanKind;
  /** `traceparent`; absent: the span begins a trace. */
  parent: string | undefined;
  attributes: Attributes;
  /** `traceparent` of each related span. */
  links?: string[];
}

/**
 * Creates spans of OpenTelemetry (OB-1). Parents are passed explicitly, as text from our frames.
 * Work moves from callback to callback and from process to process, so the context of the running
 * code would be the wrong one. While tracing is off there is no object of this class, and callers
 * see `undefined`.
 */
export class Tracing {
  private readonly tracer: Tracer;
  private readonly shareBegun: number;
  private readonly shutdown: () => Promise<void>;

  /**
   * @param shareBegun share of the requests without a trace that begin one, 0 to 1
   * @param shutdown sends the remaining spans
   */
  constructor(tracer: Tracer, shareBegun: number, shutdown: () => Promise<void>) {
    this.tracer = tracer;
    this.shareBegun = shareBegun;
    this.shutdown = shutdown;
  }

  /**
   * Begins our first span. The flag of a producer's trace decides; without a trace the decision is
   * made here, before there is a span. Most requests then cost one random number.
   *
   * @returns undefined if the trace is not sampled
   */
  begin(parent: string | undefined, describe: () => Omit<SpanStart, 'parent'>): Span | undefined {
    if (parent !== undefined) return this.follow(parent, describe);
    return Math.random() < this.shareBegun ? this.start({ ...describe(), parent }) : undefined;
  }

  /**
   * Begins a span after its parent: undefined if the parent is not sampled, and then `describe`
   * is not called.
   */
  follow(parent: string | undefined, describe: () => Omit<SpanStart, 'parent'>): Span | undefined {
    if (parent === undefined || !parseTraceparent(parent).sampled) return undefined;
    return this.start({ ...describe(), parent });
  }

  stop(): Promise<void> {
    return this.shutdown();
  }

  private start({ name, kind, parent, attributes, links = [] }: SpanStart): Span {
    const context =
      parent === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, spanContext(parent));
    const linked: Link[] = links.map((text) => ({ context: spanContext(text) }));
    return this.tracer.startSpan(name, { kind, attributes, links: linked }, context);
  }
}

/** The `traceparent` for the children of a span. */
export function traceparentOf(span: Span): string {
  const { traceId, spanId, traceFlags } = span.spanContext();
  return formatTraceparent({ traceId, spanId, sampled: (traceFlags & TraceFlags.SAMPLED) !== 0 });
}

function spanContext(traceparent: string): SpanContext {
  const { traceId, spanId, sampled } = parseTraceparent(traceparent);
  const traceFlags = sampled ? TraceFlags.SAMPLED : TraceFlags.NONE;
  return { traceId, spanId, traceFlags, isRemote: true };
}
