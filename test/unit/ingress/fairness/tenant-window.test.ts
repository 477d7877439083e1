import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '#infra/system-clock.ts';
import {
  type Publication,
  type Published,
  PublishWindowFullError,
} from '#infra/nats/publish/publisher.ts';
import { TenantWindow } from '#src/ingress/fairness/tenant-window.ts';
import { waitUntil } from '#testkit/wait-until.ts';

/** `open`: publications in flight, by message id. */
function openWindow(window: number): { tenants: TenantWindow; open: Map<string, Published> } {
  const open = new Map<string, Published>();
  const publish = ({ messageId }: Publication, done: Published): boolean => {
    if (open.size >= window) return false;
    open.set(messageId, done);
    return true;
  };
  const publisher = {
    publish,
    publishWhenRoom: (publication: Publication, done: Published): void => {
      assert.ok(publish(publication, done), 'the shares are within the window');
    },
  };
  return { tenants: new TenantWindow({ clock: systemClock, publisher, window }), open };
}

function publication(messageId: string, timeoutMs = 60_000): Publication {
  return { subject: 'ev.0.t.x', payload: Buffer.from(''), messageId, timeoutMs };
}

function end(open: Map<string, Published>, id: string): void {
  const done = open.get(id);
  assert.ok(done, id);
  open.delete(id);
  done(undefined, { seq: 1, duplicate: false });
}

test('a tenant that fills its share of the window is rejected while another one is accepted', () => {
  const { tenants, open } = openWindow(100);
  let taken = 0;
  while (tenants.publish('noisy', publication(`n${taken}`), () => {})) taken++;
  assert.equal(taken, 80);
  assert.ok(tenants.publish('quiet', publication('q'), () => {}));
  for (const id of ['q', 'n0']) end(open, id);
  assert.ok(tenants.publish('noisy', publication('n80'), () => {}));
});

test('a batch waits for the share of its tenant, in its order', () => {
  const { tenants, open } = openWindow(10);
  const done: string[] = [];
  for (let i = 0; i < 50; i++) {
    tenants.publishWhenRoom('batch', publication(`b${i}`), (error) => {
      done.push(error === undefined ? `b${i}` : 'error');
    });
  }
  assert.ok(open.size < 10, 'room is left');
  assert.ok(tenants.publish('quiet', publication('q'), () => {}));
  end(open, 'q');
  while (open.size > 0) end(open, [...open.keys()][0] as string);
  assert.deepEqual(
    done,
    Array.from({ length: 50 }, (_, i) => `b${i}`),
  );
});

test('rejects a publication with PublishWindowFullError when its share stays full', async () => {
  const { tenants, open } = openWindow(2);
  tenants.publishWhenRoom('t', publication('first'), () => {});
  const errors: unknown[] = [];
  tenants.publishWhenRoom('t', publication('late', 20), (error) => void errors.push(error));
  await waitUntil(() => errors.length === 1);
  assert.ok(errors[0] instanceof PublishWindowFullError);
  end(open, 'first');
  assert.ok(!open.has('late'), 'it is not published after all');
  assert.ok(tenants.publish('t', publication('next'), () => {}));
});
