/**
 * A program for a network and a mount namespace of its own. It looks names up with the system's
 * resolver while the only name server, on port 53 of loopback, answers, fails or is down. Prints
 * the result of each stage as one line of JSON.
 */
import { type Socket, createSocket } from 'node:dgram';
import { once } from 'node:events';
import { isOutOfDescriptors } from '#infra/http/dial/local-fault.ts';
import { ResolverHealth, nameServersAnswer } from '#infra/http/dial/resolver-health.ts';
import { DnsCache, lookUpBySystem } from '#infra/http/dial/dns-cache.ts';

const TYPE_A = 1;
const SERVFAIL = 2;

/**
 * Knows 192.0.2.1 for every name, but fails for those under `broken.test` (RFC 1035, section 4).
 */
async function startNameServer(): Promise<Socket> {
  const server = createSocket('udp4');
  server.on('message', (query, from) => {
    let at = 12;
    const labels: string[] = [];
    for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
      labels.push(query.subarray(at + 1, at + 1 + length).toString());
      at += length + 1;
    }
    const question = query.subarray(12, at + 5);
    const isBroken = labels.join('.').endsWith('broken.test');
    const hasAnswer = !isBroken && query.readUInt16BE(at + 1) === TYPE_A;
    const head = Buffer.alloc(12);
    query.copy(head, 0, 0, 2);
    head.writeUInt16BE(0x8180 | (isBroken ? SERVFAIL : 0), 2);
    head.writeUInt16BE(1, 4);
    head.writeUInt16BE(hasAnswer ? 1 : 0, 6);
    const answer = Buffer.from('c00c000100010000003c0004c0000201', 'hex');
    server.send([head, question, ...(hasAnswer ? [answer] : [])], from.port, from.address);
  });
  server.bind(53, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

const names = new DnsCache({
  lookUp: lookUpBySystem,
  now: () => performance.now(),
  onLookup: () => undefined,
  health: new ResolverHealth({
    askControl: () => nameServersAnswer('control.test'),
    isOutOfDescriptors,
    now: () => performance.now(),
  }),
});
const find = (tenant: string, hostname: string): Promise<string> =>
  new Promise((resolve) => {
    names.of(tenant)(hostname, 15_000, (error, addresses) =>
      resolve(error === null ? String(addresses[0]?.address) : String(error.code)),
    );
  });
/** One after the other: the first failure alone says nothing about the resolver. */
async function findAll(domain: string): Promise<string[]> {
  const found: string[] = [];
  for (const tenant of ['a', 'b', 'c']) found.push(await find(tenant, `${tenant}.${domain}`));
  return found;
}

let server = await startNameServer();
const well = await findAll('fine.test');
const broken = await findAll('broken.test');
server.close();
await once(server, 'close');
const unavailable = await findAll('away.test');
server = await startNameServer();
const back = await findAll('back.test');
server.close();
process.stdout.write(`${JSON.stringify({ well, broken, unavailable, back })}\n`);
