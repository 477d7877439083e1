/**
 * Run by `helm test`: publishes an event through ingress, waits until control shows that it was
 * routed, and deletes the tenant of the test. So it needs NATS, MongoDB, the router and the
 * projector. Prints one line for each step.
 *
 * @env INGRESS_URL, CONTROL_URL, and PLATFORM_KEY_FILE; without a key only the health is checked
 */
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

const { INGRESS_URL, CONTROL_URL, PLATFORM_KEY_FILE, DEADLINE_SECONDS = '60' } = process.env;
const deadline = AbortSignal.timeout(Number(DEADLINE_SECONDS) * 1000);
const TENANT = '/v1/tenants/helm-test';

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
  const tenant = `${CONTROL_URL}${TENANT}`;
  await call('create the tenant', tenant, { method: 'PUT', headers, body: '{}' });
  const body = JSON.stringify({ type: 'helm.test', data: { at: new Date().toISOString() } });
  const publish = { method: 'POST', headers, body };
  const accepted = await call('publish an event', `${INGRESS_URL}${TENANT}/events`, publish);
  const { id } = JSON.parse(accepted);
  for (;;) {
    const read = await fetch(`${tenant}/events/${id}`, { headers, signal: deadline });
    const text = await read.text();
    if (read.status === 200) break;
    // History is written behind the event.
    if (read.status !== 404) throw new Error(`read the event: ${read.status} ${text}`);
    await delay(250, undefined, { signal: deadline });
  }
  console.log('read the event: 200');
  await call('delete the tenant', tenant, { method: 'DELETE', headers }, [200, 202, 204]);
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
