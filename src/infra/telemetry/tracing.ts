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
  /** `traceparent` of each span that this one has to do with. */
  links?: string[];
}

/**
 * Spans of OpenTelemetry (OB-1). Parents are given by hand, as text out of our frames: work passes from callback to
 * callback and from process to process, so no context of the running code would be the right one. Where tracing is
 * off there is no object of this class, and who would make a span sees `undefined`.
 */
export class Tracing {
  private readonly tracer: Tracer;
  private readonly shareBegun: number;
  private readonly shutdown: () => Promise<void>;

  /**
   * @param shareBegun how many of the requests without a trace begin one, 0 to 1
   * @param shutdown sends what is not sent yet
   */
  constructor(tracer: Tracer, shareBegun: number, shutdown: () => Promise<void>) {
    this.tracer = tracer;
    this.shareBegun = shareBegun;
    this.shutdown = shutdown;
  }

  /**
   * The first span of ours. A producer that names a trace decides by its flag; else it is decided here, before there is
   * a span: most requests then cost one random number.
   *
   * @returns undefined where it is not sampled
   */
  begin(parent: string | undefined, describe: () => Omit<SpanStart, 'parent'>): Span | undefined {
    if (parent !== undefined) return this.follow(parent, describe);
    return Math.random() < this.shareBegun ? this.start({ ...describe(), parent }) : undefined;
  }

  /** A span of what follows another: undefined where that one is not sampled, and then `describe` is not called. */
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

/** The `traceparent` of what follows a span. */
export function traceparentOf(span: Span): string {
  const { traceId, spanId, traceFlags } = span.spanContext();
  return formatTraceparent({ traceId, spanId, sampled: (traceFlags & TraceFlags.SAMPLED) !== 0 });
}

function spanContext(traceparent: string): SpanContext {
  const { traceId, spanId, sampled } = parseTraceparent(traceparent);
  const traceFlags = sampled ? TraceFlags.SAMPLED : TraceFlags.NONE;
  return { traceId, spanId, traceFlags, isRemote: true };
}
