/**
 * Publishes one event as a producer should: with its own id, and again under the same id if
 * there is no answer or the answer asks for it.
 */
import { sleep } from 'k6';
import exec from 'k6/execution';
import http from 'k6/http';
import { Counter } from 'k6/metrics';
import { API_KEY, BASE_URL, RUN } from './target.ts';
import { tenantId } from './tenants.ts';

/** Events that were answered with 202: each must be delivered once. */
const accepted = new Counter('accepted');
const publishedAgain = new Counter('published_again');

const PAYLOAD_BYTES = 512;
const TRIES_MAX = 60;
const pad = 'x'.repeat(PAYLOAD_BYTES - 60);
const params = {
  headers: { authorization: `Bearer ${API_KEY}`, 'content-type': 'application/json' },
  timeout: '15s',
};

/** @throws Error if the event was refused permanently */
export function publish(tenant: string): void {
  // Unique in the run: the receiver counts by it.
  const n = exec.scenario.iterationInTest;
  const id = `${RUN}-${exec.scenario.name}-${n}`;
  const data = { n, scenario: exec.scenario.name, sent_ms: Date.now(), pad };
  const body = JSON.stringify({ id, type: 'loadtest.happened', data });
  const url = `${BASE_URL}/v1/tenants/${tenantId(tenant)}/events`;
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const response = http.post(url, body, params);
    if (response.status === 202) {
      accepted.add(1);
      return;
    }
    const mayPassLater =
      response.status === 0 || response.status === 429 || response.status === 503;
    if (!mayPassLater)
      exec.test.abort(`${response.status} ${response.error} ${JSON.stringify(response.body)}`);
    publishedAgain.add(1);
    sleep(Number(response.headers['Retry-After'] ?? '1') || 1);
  }
  throw new Error(`event ${id} was not accepted after ${TRIES_MAX} tries`);
}
