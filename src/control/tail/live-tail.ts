/**
 * The live tail: what happens to events, deliveries and attempts, as it happens. Readers with the
 * same selection are a group, for which each chunk is built once.
 *
 * Every `FLUSH_MS` each group writes its items to its readers. Every second the access of each
 * reader is checked again: a revoked key and a deleted tenant end the stream. Nothing is stored: a
 * reader whose process dies connects again with the last id, and gets the later messages from the
 * streams.
 *
 * Bounds: `limits.tailReadersMax` readers, `limits.tailReadersPerTenantMax` of a tenant,
 * `limits.tailBufferBytesMax` for each, `limits.tailResumeMessagesMax` messages for a resumption.
 */
import type { ServerResponse } from 'node:http';
import type { Clock } from '#domain/clock.ts';
import { isPosthornError, PosthornError } from '#domain/errors.ts';
import { limits } from '#domain/limits.ts';
import type { Service } from '#infra/service.ts';
import type { TenantLives } from '#infra/tenant-lives.ts';
import { TailConnection, type TailEnd } from './tail-connection.ts';
import type { TailFeed, TailMessage } from './tail-feed.ts';
import { selectionKey, selects, type TailSelection } from './tail-filter.ts';
import { type TailItem, tailItems } from './tail-items.ts';
import { decodePosition, encodePosition } from './tail-position.ts';
import { resume } from './resume.ts';
import { holdMessage, type TailReader } from './tail-reader.ts';

const FLUSH_MS = 50;
const CHECK_MS = 1000;
const HEARTBEAT_MS = 10_000;
const UNKNOWN_CHECKS_MAX = 3;
/** Statuses of an error that end the access of a caller. */
const DENIALS: readonly number[] = [401, 403];

interface Group {
  selection: TailSelection;
  readers: Set<TailReader>;
  lines: string[];
}

export interface TailRequest {
  selection: TailSelection;
  lastEventId: string | undefined;
  response: ServerResponse;
  headers: Record<string, string | number | string[] | undefined>;
  recheck: () => unknown;
}

export interface LiveTailDeps {
  shards: number;
  /** Longest time without progress on a connection, in milliseconds. */
  writeTimeoutMs: number;
  /** @param onMessage called for each message, in the order of its stream */
  createFeed: (onMessage: (message: TailMessage) => void) => TailFeed;
  lives: Pick<TenantLives, 'status'>;
  clock: Pick<Clock, 'monotonicMs'>;
}

export class LiveTail implements Service {
  readonly name = 'live-tail';
  private readonly deps: LiveTailDeps;
  private readonly feed: TailFeed;
  private readonly groups = new Map<string, Group>();
  private readonly readers = new Set<TailReader>();
  private flushTimer: NodeJS.Timeout | undefined;
  private checkTimer: NodeJS.Timeout | undefined;
  private stopped = false;

  constructor(deps: LiveTailDeps) {
    this.deps = deps;
    this.feed = deps.createFeed((message) => this.take(message));
  }

  async start(): Promise<void> {}

  async stop(): Promise<void> {
    this.stopped = true;
    for (const reader of this.readers) this.end(reader, 'stopping');
  }

  /**
   * Answers a request with the stream of its selection.
   *
   * @throws PosthornError POSTHORN_OVERLOADED, POSTHORN_NATS_UNAVAILABLE, POSTHORN_REQUEST_INVALID
   */
  async open(request: TailRequest): Promise<void> {
    const { selection, lastEventId, response, headers, recheck } = request;
    const { shards, clock } = this.deps;
    this.checkBounds(selection);
    const from = lastEventId === undefined ? undefined : readPosition(lastEventId, shards);
    const reader: TailReader = {
      selection,
      connection: new TailConnection(response, clock.monotonicMs),
      recheck,
      held: from === undefined ? undefined : [],
      heldBytes: 0,
      heldMissed: 0,
      unknownChecks: 0,
      left: new AbortController(),
    };
    // Counted while it connects: concurrent requests must not pass the bound.
    this.readers.add(reader);
    response.once('close', () => this.remove(reader));
    try {
      await this.feed.start();
    } catch (error) {
      this.remove(reader);
      throw new PosthornError('POSTHORN_NATS_UNAVAILABLE', { cause: error });
    }
    if (this.stopped || response.destroyed) {
      this.remove(reader);
      response.destroy();
      return;
    }
    // Items before this moment are not for this reader, or are read when it resumes.
    this.flush();
    reader.connection.open(headers, lastEventId ?? this.positionId());
    this.join(reader);
    if (from !== undefined) {
      // A copy: the feed continues while the earlier messages are read.
      const upTo = new Map(this.feed.position);
      void resume(reader, { from, upTo }, { ...this.deps, feed: this.feed });
    }
  }

  private checkBounds({ lifeId }: TailSelection): void {
    let ofTenant = 0;
    for (const { selection } of this.readers) if (selection.lifeId === lifeId) ofTenant++;
    const bound = lifeId === undefined ? limits.tailReadersMax : limits.tailReadersPerTenantMax;
    if (!this.stopped && this.readers.size < limits.tailReadersMax && ofTenant < bound) return;
    const detail =
      ofTenant < bound
        ? `the process has ${limits.tailReadersMax} live streams`
        : `the tenant has ${bound} live streams in this process`;
    throw new PosthornError('POSTHORN_OVERLOADED', { detail });
  }

  private join(reader: TailReader): void {
    const key = selectionKey(reader.selection);
    const group = this.groups.get(key) ?? {
      selection: reader.selection,
      readers: new Set(),
      lines: [],
    };
    group.readers.add(reader);
    this.groups.set(key, group);
    this.flushTimer ??= setInterval(() => this.flush(), FLUSH_MS);
    this.checkTimer ??= setInterval(() => this.check(), CHECK_MS);
  }

  private remove(reader: TailReader): void {
    reader.left.abort();
    if (!this.readers.delete(reader)) return;
    const key = selectionKey(reader.selection);
    const group = this.groups.get(key);
    group?.readers.delete(reader);
    if (group?.readers.size === 0) this.groups.delete(key);
    if (this.readers.size > 0) return;
    clearInterval(this.flushTimer);
    clearInterval(this.checkTimer);
    this.flushTimer = undefined;
    this.checkTimer = undefined;
    this.feed.stop();
  }

  private take({ subject, seq, data }: TailMessage): void {
    if (this.groups.size === 0) return;
    let items: TailItem[];
    try {
      items = tailItems(subject, seq, data);
    } catch {
      // The projector reports it.
      return;
    }
    for (const item of items) {
      if (this.deps.lives.status(item.lifeId) !== 'current') continue;
      for (const { selection, lines } of this.groups.values()) {
        if (selects(selection, item)) lines.push(item.lines);
      }
    }
  }

  private flush(): void {
    let id: string | undefined;
    for (const { lines, readers } of this.groups.values()) {
      if (lines.length === 0) continue;
      id ??= this.positionId();
      const count = lines.length;
      // Only the last message has an id: after a broken chunk the client resumes before it.
      const text = `${lines.join('\n')}id: ${id}\n\n`;
      lines.length = 0;
      const chunk = Buffer.from(text);
      for (const reader of readers) {
        if (reader.held === undefined) reader.connection.send(chunk, count, id);
        else holdMessage(reader, { text, count, id }, chunk.length);
      }
    }
  }

  private check(): void {
    // A heartbeat must not confirm items that are not sent yet.
    this.flush();
    const everyMs = Math.min(HEARTBEAT_MS, this.deps.writeTimeoutMs / 2);
    const id = this.positionId();
    for (const reader of this.readers) {
      if (reader.connection.isStalled) {
        reader.connection.destroy();
        this.remove(reader);
        continue;
      }
      if (reader.held === undefined) reader.connection.heartbeat(everyMs, id);
      void this.checkAccess(reader);
    }
  }

  private async checkAccess(reader: TailReader): Promise<void> {
    const { lifeId } = reader.selection;
    try {
      await reader.recheck();
    } catch (error) {
      // A look-up that fails says nothing about the access.
      if (isPosthornError(error) && DENIALS.includes(error.status))
        this.end(reader, 'access_ended');
      return;
    }
    if (lifeId === undefined) return;
    const status = this.deps.lives.status(lifeId);
    // A tenant that was just created may not be known here yet.
    reader.unknownChecks = status === 'unknown' ? reader.unknownChecks + 1 : 0;
    if (status === 'ended' || reader.unknownChecks >= UNKNOWN_CHECKS_MAX) {
      this.end(reader, 'tenant_deleted');
    }
  }

  private end(reader: TailReader, reason: TailEnd): void {
    if (!this.readers.has(reader)) return;
    reader.connection.end(reason);
    this.remove(reader);
  }

  private positionId(): string {
    return encodePosition(this.feed.position, this.deps.shards);
  }
}

/** @throws PosthornError POSTHORN_REQUEST_INVALID */
function readPosition(text: string, shards: number): ReadonlyMap<string, number> {
  const position = decodePosition(text, shards);
  if (position !== undefined) return position;
  const detail = 'must be the id of a message of this stream';
  const fields = [{ pointer: '#header/last-event-id', detail }];
  throw new PosthornError('POSTHORN_REQUEST_INVALID', { fields });
}
