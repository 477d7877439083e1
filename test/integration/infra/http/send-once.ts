import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { SecureContext } from 'node:tls';
import { systemClock } from '#infra/system-clock.ts';
import type { AttemptOutcome } from '#domain/outcome/delivery.ts';
import { EgressGuard } from '#domain/endpoint/egress.ts';
import { LenientOrigins } from '#infra/http/exchange/lenient-origins.ts';
import { lookUpBySystem } from '#infra/http/dial/dns-cache.ts';
import { type SendResult, Sender } from '#infra/http/client/sender.ts';
import type { Behaviour } from '#testkit/receiver-behaviour.ts';
import { WebhookReceiver } from '#testkit/webhook-receiver.ts';

export const LOOPBACK = '127.0.0.0/8';

export interface SenderSettings {
  /** Networks of our own that may be dialled; absent: loopback. */
  allow?: string;
  /** Whether the lenient client sends from the first request on. */
  isLenient?: boolean;
  secureContext?: SecureContext;
}

export function senderTo(t: TestContext, origin: string, settings: SenderSettings = {}): Sender {
  const lenientOrigins = new LenientOrigins(() => performance.now()).of('acme');
  if (settings.isLenient === true) lenientOrigins.add(origin);
  const { secureContext, allow = LOOPBACK } = settings;
  const sender = new Sender({
    clock: systemClock,
    origin,
    guard: new EgressGuard(allow),
    lookUpAddresses: (hostname, _timeoutMs, found) => lookUpBySystem(hostname, found),
    lenientOrigins,
    isResolverDown: () => false,
    timeoutMs: 5000,
    ...(secureContext === undefined ? {} : { secureContext }),
  });
  t.after(() => sender.close());
  return sender;
}

export function send(sender: Sender, signal = AbortSignal.timeout(20_000)): Promise<SendResult> {
  const headers = ['content-type', 'application/json'];
  return sender.send({ path: '/hook?a=1', headers, body: Buffer.from('{}'), signal });
}

export async function answerTo(t: TestContext, behaviour: Behaviour): Promise<SendResult> {
  const receiver = await WebhookReceiver.start();
  t.after(() => receiver.close());
  receiver.otherwise(behaviour);
  return send(senderTo(t, receiver.url().slice(0, -1)));
}

export function failureOf({ outcome }: SendResult): AttemptOutcome & { ok: false } {
  assert.ok(!outcome.ok, 'it succeeded');
  assert.notEqual(outcome.detail, '');
  return outcome;
}
