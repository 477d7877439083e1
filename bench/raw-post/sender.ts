/**
 * Sends signed POSTs to the port in its arguments with undici's own pool, and answers each request
 * of the parent with the CPU of one POST, in milliseconds.
 */
import { createHmac, randomBytes } from 'node:crypto';
import { Pool } from 'undici';

const CONCURRENT = 64;
const BODY = Buffer.from(`{"pad":"${'x'.repeat(502)}"}`);
const KEY = randomBytes(32);

const pool = new Pool(`http://127.0.0.1:${process.argv[2]}`, { connections: CONCURRENT });

async function post(number: number): Promise<void> {
  const id = `msg_${number}`;
  const seconds = Math.floor(Date.now() / 1000);
  const mac = createHmac('sha256', KEY).update(`${id}.${seconds}.`).update(BODY);
  const { body } = await pool.request({
    method: 'POST',
    path: '/',
    headers: {
      'content-type': 'application/json',
      'webhook-id': id,
      'webhook-timestamp': String(seconds),
      'webhook-signature': `v1,${mac.digest('base64')}`,
    },
    body: BODY,
  });
  await body.dump();
}

async function cpuMsOfOne(posts: number): Promise<number> {
  let sent = 0;
  const before = process.cpuUsage();
  const sendRest = async (): Promise<void> => {
    while (sent < posts) await post(sent++);
  };
  await Promise.all(Array.from({ length: CONCURRENT }, sendRest));
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000 / posts;
}

process.on('message', (posts: number) => {
  void cpuMsOfOne(posts).then((ms) => process.send?.(ms));
});
