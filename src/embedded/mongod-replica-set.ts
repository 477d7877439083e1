import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { type Db, MongoClient, MongoServerError } from 'mongodb';

const SET = 'posthorn';
const NOT_YET_INITIALIZED = 94;
const ALREADY_INITIALIZED = 23;

export interface ReplicaSetMember {
  port: number;
  /** Of the mongod that is meant: another one on the port is an error. */
  pid: number;
  signal: AbortSignal;
}

/**
 * Makes the mongod on `port` the primary of a replica set of one: initiates a new one, and gives a set that
 * was made on another port the new address, without which the member would not find itself in it.
 */
export async function becomePrimary(member: ReplicaSetMember): Promise<void> {
  const { port, signal } = member;
  // The driver gives up for good when its first dial is refused.
  await waitUntilListening(port, signal);
  const client = new MongoClient(`mongodb://127.0.0.1:${port}/`, {
    directConnection: true,
    serverSelectionTimeoutMS: 5000,
  });
  try {
    const admin = client.db('admin');
    const status = await admin.command({ serverStatus: 1 });
    if (Number(status['pid']) !== member.pid) throw new Error(`port ${port} is another mongod's`);
    await initiateOrMove(admin, `127.0.0.1:${port}`);
    for (;;) {
      const hello = await admin.command({ hello: 1 });
      if (hello['isWritablePrimary'] === true) return;
      await delay(10, undefined, { signal });
    }
  } finally {
    await client.close();
  }
}

/** Resolves when somebody listens on the port of 127.0.0.1. */
export async function waitUntilListening(port: number, signal: AbortSignal): Promise<void> {
  while (!(await canConnect(port))) await delay(10, undefined, { signal });
}

/** Makes a set of members that have never been in one: the first call of its life, at any member. */
export async function initiateSet(ports: readonly number[]): Promise<void> {
  const client = new MongoClient(`mongodb://127.0.0.1:${ports[0]}/`, { directConnection: true });
  try {
    const members = ports.map((port, _id) => ({ _id, host: `127.0.0.1:${port}` }));
    await client.db('admin').command({ replSetInitiate: { _id: SET, members } });
  } finally {
    await client.close();
  }
}

/** What a client connects to in order to find whoever is primary. */
export function setUrl(ports: readonly number[]): string {
  const hosts = ports.map((port) => `127.0.0.1:${port}`);
  return `mongodb://${hosts.join(',')}/?replicaSet=${SET}`;
}

function canConnect(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

async function initiateOrMove(admin: Db, host: string): Promise<void> {
  const members = [{ _id: 0, host }];
  let config: { members: { host: string }[]; version: number };
  try {
    config = (await admin.command({ replSetGetConfig: 1 }))['config'];
  } catch (error) {
    if (!isServerError(error, NOT_YET_INITIALIZED)) throw error;
    await admin.command({ replSetInitiate: { _id: SET, members } }).catch((again: unknown) => {
      if (!isServerError(again, ALREADY_INITIALIZED)) throw again;
    });
    return;
  }
  if (config.members.length === 1 && config.members[0]?.host === host) return;
  // Forced, since a member that does not find its address in the set can never be elected to change it.
  const moved = { ...config, version: config.version + 1, members };
  await admin.command({ replSetReconfig: moved, force: true });
}

function isServerError(error: unknown, code: number): boolean {
  return error instanceof MongoServerError && error.code === code;
}
