import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type HeadEndpoint,
  type HeadState,
  type HeadStep,
  afterStep,
  headState,
  isDue,
  madeReady,
} from '../../src/delivery/ordered/head-state.ts';

const ATTEMPTS_MAX = 3;

type Command =
  | { do: 'store' }
  | { do: 'attempt'; ends: 'ok' | 'fails' | 'parked' | 'again' }
  | { do: 'tick'; ms: number }
  | { do: 'crash' }
  | { do: 'set'; state: HeadEndpoint['state']; blocks: boolean }
  | { do: 'act'; what: 'now' | 'cancel' };

const command: fc.Arbitrary<Command> = fc.oneof(
  fc.constant<Command>({ do: 'store' }),
  fc.record({
    do: fc.constant('attempt' as const),
    ends: fc.constantFrom('ok' as const, 'fails' as const, 'parked' as const, 'again' as const),
  }),
  fc.record({ do: fc.constant('tick' as const), ms: fc.integer({ min: 1, max: 2000 }) }),
  fc.constant<Command>({ do: 'crash' }),
  fc.record({
    do: fc.constant('set' as const),
    state: fc.constantFrom('active' as const, 'paused' as const, 'disabled' as const),
    blocks: fc.boolean(),
  }),
  fc.record({
    do: fc.constant('act' as const),
    what: fc.constantFrom('now' as const, 'cancel' as const),
  }),
);

/** A queue as the worker drives it, with the state of JetStream and of the receiver. */
class Model {
  stored: number[] = [];
  saved: HeadState | undefined;
  head: HeadState | undefined;
  endpoint: HeadEndpoint = { state: 'active', blocks: false };
  nowMs = 1_000_000;
  /** Sequence and number of each attempt, in order. */
  attempts: [number, number][] = [];
  left: number[] = [];
  private nextSeq = 1;

  run(one: Command): void {
    switch (one.do) {
      case 'store':
        this.stored.push(this.nextSeq++);
        return;
      case 'tick':
        this.nowMs += one.ms;
        return;
      case 'crash':
        this.head = undefined;
        return;
      case 'set':
        this.endpoint = { state: one.state, blocks: one.blocks };
        return;
      case 'act':
        this.act(one.what);
        return;
      case 'attempt':
        this.attempt(one.ends);
    }
  }

  private read(): HeadState | undefined {
    const seq = this.stored[0];
    if (seq === undefined) return undefined;
    const known = this.head?.seq === seq ? this.head : this.saved;
    this.head = headState({ seq, id: `dlv_${seq}`, attemptNo: 1, hop: 0 }, known);
    return this.head;
  }

  private act(what: 'now' | 'cancel'): void {
    const head = this.read();
    if (head === undefined || isDue(head, this.endpoint, this.nowMs)) return;
    if (what === 'cancel') this.leave(head);
    else {
      this.saved = madeReady(head);
      this.head = this.saved;
      assert.ok(isDue(this.head, { state: 'active', blocks: true }, this.nowMs));
    }
  }

  private attempt(ends: 'ok' | 'fails' | 'parked' | 'again'): void {
    const head = this.read();
    if (head === undefined || !isDue(head, this.endpoint, this.nowMs)) return;
    if (this.endpoint.state !== 'active') return this.step(head, { kind: 'held' });
    if (ends === 'parked') {
      return this.step(head, { kind: 'wait', atMs: this.nowMs + 5000, made: undefined });
    }
    if (ends === 'again') return this.step(head, { kind: 'retryLater', afterMs: 1000 });
    this.attempts.push([head.seq, head.attemptNo]);
    if (ends === 'ok') this.leave(head);
    else if (head.attemptNo < ATTEMPTS_MAX) {
      const { attemptNo, firstAttemptMs = this.nowMs } = head;
      const made = { attemptNo: attemptNo + 1, firstAttemptMs };
      this.step(head, { kind: 'wait', atMs: this.nowMs + 1000, made });
    } else if (this.endpoint.blocks) {
      this.step(head, { kind: 'blocked', attemptNo: head.attemptNo + 1 });
    } else this.leave(head);
  }

  private step(head: HeadState, step: Exclude<HeadStep, { kind: 'done' }>): void {
    const next = afterStep(head, step, this.nowMs);
    assert.ok(next.state.hop >= head.hop && next.state.attemptNo >= head.attemptNo);
    assert.equal(next.state.hop > head.hop, next.save);
    if (next.save) this.saved = next.state;
    this.head = next.state;
  }

  private leave({ seq }: HeadState): void {
    assert.equal(this.stored.shift(), seq);
    this.left.push(seq);
    this.head = undefined;
    this.saved = undefined;
  }
}

test('a queue is delivered in order, and no attempt is counted twice or skipped, under any interleaving', () => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 200 }), (commands) => {
      const model = new Model();
      for (const one of commands) model.run(one);
      assert.deepEqual(
        model.left,
        model.left.map((_, i) => i + 1),
      );
      for (const [i, [seq, no]] of model.attempts.entries()) {
        const before = model.attempts[i - 1];
        // The next attempt of the same event, or the first of a later one: a cancelled or held
        // event had none.
        if (before?.[0] === seq) assert.equal(no, before[1] + 1);
        else {
          assert.equal(no, 1);
          assert.ok(before === undefined || before[0] < seq);
        }
      }
    }),
  );
});

test('every queue empties in the end, once its endpoint is active and an operator resolves each block', () => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 100 }), (commands) => {
      const model = new Model();
      for (const one of commands) model.run(one);
      model.run({ do: 'set', state: 'active', blocks: true });
      const stored = model.stored.length;
      for (let i = 0; i < stored; i++) {
        model.run({ do: 'tick', ms: 10_000 });
        model.run({ do: 'act', what: 'now' });
        model.run({ do: 'attempt', ends: 'ok' });
      }
      assert.deepEqual(model.stored, []);
    }),
  );
});
