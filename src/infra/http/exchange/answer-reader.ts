/**
 * Reads one answer, with the interim answers before it, from the bytes of a connection. Requires a
 * status line and accepts malformed headers: for the rare origins whose answers undici refuses.
 * If the end of an answer is in doubt, the connection is not reused.
 *
 * States: status -> headers -> body, or chunk size -> chunk -> chunk end -> … -> trailers; ->
 * ended. After an interim answer: headers -> status. Limits: `limits.responseHeadersBytesMax` for a
 * status line and its headers. The caller bounds the bytes of the whole answer.
 */
import { limits } from '#domain/limits.ts';
import type { AnswerHeaders } from './exchange.ts';

export class AnswerError extends Error {
  readonly code: 'POSTHORN_ANSWER_INVALID' | 'POSTHORN_HEADERS_TOO_LONG';
  constructor(code: AnswerError['code']) {
    super(code);
    this.name = 'AnswerError';
    this.code = code;
  }
}

export interface AnswerSink {
  /** Called for each interim answer, then for the final one. */
  onHead: (status: number, headers: AnswerHeaders) => void;
  onBody: (chunk: Buffer) => void;
  /** @param isReusable whether the connection can serve another exchange */
  onEnd: (isReusable: boolean) => void;
}

type State =
  | 'status'
  | 'headers'
  | 'body'
  | 'chunk size'
  | 'chunk'
  | 'chunk end'
  | 'trailers'
  | 'ended';

const PREFIX = 'http/';

export class AnswerReader {
  private readonly sink: AnswerSink;
  private state: State = 'status';
  /** The beginning of an incomplete line. */
  private line = '';
  private headBytes = 0;
  private status = 0;
  private isVersion10 = false;
  private headers: [name: string, value: string][] = [];
  /** Of the body or the chunk; infinite: until the connection ends. */
  private bytesLeft = 0;
  private isReusable = true;

  constructor(sink: AnswerSink) {
    this.sink = sink;
  }

  /** @throws AnswerError */
  feed(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length && !this.isEnded) {
      const isBody = this.state === 'body' || this.state === 'chunk';
      at = isBody ? this.readBody(chunk, at) : this.readLine(chunk, at);
    }
    // Further bytes answer no request: the connection cannot be reused.
    if (this.isEnded) this.sink.onEnd(this.isReusable && at === chunk.length);
  }

  /** Reports the end of the connection to the reader. @returns whether the answer is complete */
  end(): boolean {
    if (this.state !== 'body' || this.bytesLeft !== Number.POSITIVE_INFINITY) return false;
    this.state = 'ended';
    this.sink.onEnd(false);
    return true;
  }

  private get isEnded(): boolean {
    return this.state === 'ended';
  }

  private readBody(chunk: Buffer, from: number): number {
    const to = Math.min(chunk.length, from + this.bytesLeft);
    this.sink.onBody(chunk.subarray(from, to));
    this.bytesLeft -= to - from;
    if (this.bytesLeft === 0) this.state = this.state === 'chunk' ? 'chunk end' : 'ended';
    return to;
  }

  private readLine(chunk: Buffer, from: number): number {
    const end = chunk.indexOf(0x0a, from);
    const to = end === -1 ? chunk.length : end;
    this.line += chunk.toString('latin1', from, to);
    this.headBytes += to - from + 1;
    const isHead = this.state === 'status' || this.state === 'headers';
    if (isHead && this.headBytes > limits.responseHeadersBytesMax) {
      throw new AnswerError('POSTHORN_HEADERS_TOO_LONG');
    }
    if (end === -1) {
      if (this.state === 'status') this.checkPrefix();
      return to;
    }
    const line = this.line.endsWith('\r') ? this.line.slice(0, -1) : this.line;
    this.line = '';
    this.onLine(line);
    return end + 1;
  }

  /** Detects another protocol early: its server may wait for a reply before it ends the line. */
  private checkPrefix(): void {
    const start = this.line.slice(0, PREFIX.length).toLowerCase();
    if (start !== '\r' && !PREFIX.startsWith(start)) throw invalid();
  }

  private onLine(line: string): void {
    const isEmpty = line === '';
    if (this.state === 'status') {
      if (!isEmpty) this.readStatus(line);
    } else if (this.state === 'headers') {
      if (isEmpty) this.onHead();
      else this.readHeader(line);
    } else if (this.state === 'chunk size') {
      this.readChunkSize(line);
    } else if (this.state === 'chunk end') {
      if (!isEmpty) throw invalid();
      this.state = 'chunk size';
    } else if (isEmpty) {
      // The end of the trailers.
      this.state = 'ended';
    }
  }

  private readStatus(line: string): void {
    const [, version, status] = STATUS_LINE.exec(line) ?? [];
    if (status === undefined || Number(status) < 100) throw invalid();
    this.status = Number(status);
    this.isVersion10 = version === '1.0' || version === '0.9';
    this.headers = [];
    this.state = 'headers';
  }

  private readHeader(line: string): void {
    const last = this.headers.at(-1);
    const isFolded = line.startsWith(' ') || line.startsWith('\t');
    if (isFolded && last !== undefined) {
      last[1] = `${last[1]} ${line.trim()}`.trim();
      return;
    }
    const colon = line.indexOf(':');
    // A line without a colon is dropped: the status is known already.
    if (colon <= 0) this.isReusable = false;
    else
      this.headers.push([line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim()]);
  }

  private onHead(): void {
    const { status } = this;
    const isInterim = status < 200;
    this.headBytes = 0;
    this.state = isInterim ? 'status' : 'body';
    this.sink.onHead(status, joined(this.headers));
    if (!isInterim) this.frameBody();
  }

  /** The length of the body (RFC 9112, section 6.3). */
  private frameBody(): void {
    const connection = this.tokens('connection');
    this.isReusable &&= this.isVersion10
      ? connection.includes('keep-alive')
      : !connection.includes('close');
    const codings = this.tokens('transfer-encoding');
    const lengths = new Set(this.tokens('content-length'));
    if (this.status === 204 || this.status === 304) {
      // A server that states a length here may also send the bytes.
      this.isReusable &&= codings.length === 0 && [...lengths].every((length) => length === '0');
      this.state = 'ended';
    } else if (codings.at(-1) === 'chunked') {
      this.isReusable &&= lengths.size === 0;
      this.state = 'chunk size';
    } else if (codings.length > 0 || lengths.size === 0) {
      this.bytesLeft = Number.POSITIVE_INFINITY;
    } else {
      this.frameByLength(lengths);
    }
  }

  private frameByLength(lengths: ReadonlySet<string>): void {
    const [length = ''] = lengths;
    if (lengths.size > 1 || !/^\d{1,15}$/.test(length)) throw invalid();
    this.bytesLeft = Number(length);
    if (this.bytesLeft === 0) this.state = 'ended';
  }

  private readChunkSize(line: string): void {
    const [, size] = CHUNK_SIZE.exec(line) ?? [];
    if (size === undefined) throw invalid();
    this.bytesLeft = Number.parseInt(size, 16);
    this.state = this.bytesLeft === 0 ? 'trailers' : 'chunk';
  }

  /** Returns the members of a list field, from all its lines. */
  private tokens(name: string): string[] {
    const all: string[] = [];
    for (const [field, value] of this.headers) {
      if (field !== name) continue;
      for (const token of value.split(',')) all.push(token.trim().toLowerCase());
    }
    return all;
  }
}

const STATUS_LINE = /^HTTP\/(\d+(?:\.\d+)?)[ \t]+(\d{3})(?:[ \t].*)?$/is;
const CHUNK_SIZE = /^[ \t]*([\da-f]{1,12})[ \t]*(?:;.*)?$/is;

function joined(fields: readonly [name: string, value: string][]): AnswerHeaders {
  // No prototype: a field may have the name of an inherited member.
  const headers = Object.create(null) as AnswerHeaders;
  for (const [name, value] of fields) {
    const before = headers[name];
    if (before === undefined) headers[name] = value;
    else if (typeof before === 'string') headers[name] = [before, value];
    else before.push(value);
  }
  return headers;
}

function invalid(): AnswerError {
  return new AnswerError('POSTHORN_ANSWER_INVALID');
}
