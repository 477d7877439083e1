/**
 * Run by `helm test`, and before the promotion of a blue-green roll-out: publishes events through
 * ingress, waits until control shows that each was routed, and deletes the tenant of the test. So
 * it needs NATS, MongoDB, the router and the projector. Prints one line for each step.
 *
 * @env INGRESS_URL, CONTROL_URL, and PLATFORM_KEY_FILE; without a key only the health is checked
 * @env TENANT: id of its tenant. EVENTS: number of events
 */
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

const { INGRESS_URL, CONTROL_URL, PLATFORM_KEY_FILE, DEADLINE_SECONDS = '60' } = process.env;
const deadline = AbortSignal.timeout(Number(DEADLINE_SECONDS) * 1000);
const { TENANT = 'helm-test', EVENTS = '1' } = process.env;
const PATH = `/v1/tenants/${TENANT}`;

/** @throws Error with the step, the status and the body of an unexpected answer */
async function call(step, url, options = {}, expected = [200, 201, 202, 204]) {
  const response = await fetch(url, { ...options, signal: deadline }).catch((error) => {
    throw new Error(`${step}: ${error.cause?.message ?? error.message}`);
  });
  const text = await response.text();
  if (!expected.includes(response.status)) {
    throw new Error(`${step}: ${response.status} ${text}`);
  }
  console.log(`${step}: ${response.status}`);
  return text;
}

async function publishAndRead(key) {
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
  const tenant = `${CONTROL_URL}${PATH}`;
  await call('create the tenant', tenant, { method: 'PUT', headers, body: '{}' });
  for (let n = 0; n < Number(EVENTS); n++) {
    const body = JSON.stringify({ type: 'helm.test', data: { at: new Date().toISOString() } });
    const publish = { method: 'POST', headers, body };
    const accepted = await call('publish an event', `${INGRESS_URL}${PATH}/events`, publish);
    await readRouted(`${tenant}/events/${JSON.parse(accepted).id}`, headers);
  }
  await call('delete the tenant', tenant, { method: 'DELETE', headers }, [200, 202, 204]);
}

/** Waits for the history, which is written behind the event: first the event, then its routing. */
async function readRouted(url, headers) {
  for (;;) {
    const read = await fetch(url, { headers, signal: deadline });
    const text = await read.text();
    if (read.status === 200 && JSON.parse(text).matched_endpoint_count !== null) break;
    if (![200, 404].includes(read.status)) throw new Error(`read the event: ${read.status} ${text}`);
    await delay(250, undefined, { signal: deadline });
  }
  console.log('read the event: 200');
}

try {
  await call('health of ingress', `${INGRESS_URL}/health`);
  await call('health of control', `${CONTROL_URL}/health`);
  if (PLATFORM_KEY_FILE) await publishAndRead(readFileSync(PLATFORM_KEY_FILE, 'utf8').trim());
  else console.log('no platform key: nothing is published');
} catch (error) {
  const reason = deadline.aborted ? `not done after ${DEADLINE_SECONDS} s` : error.message;
  console.error(`failed: ${reason}`);
  process.exitCode = 1;
}
