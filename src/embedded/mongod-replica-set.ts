import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import {
  type Db,
  MongoClient,
  MongoNetworkError,
  MongoServerError,
  MongoServerSelectionError,
} from 'mongodb';

const SET = 'posthorn';
const NOT_YET_INITIALIZED = 94;
/**
 * AlreadyInitialized, ConfigurationInProgress, InterruptedDueToReplStateChange: the member is
 * reading its configuration or changing its state.
 */
const IN_BETWEEN = [23, 109, 11_602];

export interface ReplicaSetMember {
  port: number;
  /** Process id of the expected mongod: another one on the port is an error. */
  pid: number;
  signal: AbortSignal;
}

/**
 * Makes the mongod on `port` the primary of a replica set of one. Initiates a new set; gives a set
 * that was created on another port the new address, without which the member would not find itself
 * in it.
 *
 * A starting mongod answers before it has read its set, and closes all connections whenever its
 * state in the set changes. Errors of that kind are retried until `signal` is raised.
 */
export async function becomePrimary(member: ReplicaSetMember): Promise<void> {
  const { port, signal } = member;
  // The driver stops retrying once its first connection is refused.
  await waitUntilListening(port, signal);
  const client = new MongoClient(`mongodb://127.0.0.1:${port}/`, {
    directConnection: true,
    serverSelectionTimeoutMS: 5000,
  });
  try {
    const admin = client.db('admin');
    while (!(await isPrimary(admin, member))) await delay(10, undefined, { signal });
  } finally {
    await client.close();
  }
}

/** Checks the state once and takes the next step towards primary. */
async function isPrimary(admin: Db, { port, pid }: ReplicaSetMember): Promise<boolean> {
  try {
    const status = await admin.command({ serverStatus: 1 });
    if (Number(status['pid']) !== pid) throw new Error(`port ${port} is another mongod's`);
    const isInPlace = await initiateOrMove(admin, `127.0.0.1:${port}`);
    return isInPlace && (await admin.command({ hello: 1 }))['isWritablePrimary'] === true;
  } catch (error) {
    const isCutOff =
      error instanceof MongoNetworkError || error instanceof MongoServerSelectionError;
    if (isCutOff || IN_BETWEEN.some((code) => isServerError(error, code))) return false;
    throw error;
  }
}

/** Resolves when a process listens on the port of 127.0.0.1. */
export async function waitUntilListening(port: number, signal: AbortSignal): Promise<void> {
  while (!(await canConnect(port))) await delay(10, undefined, { signal });
}

/** Initiates a set of new members. Call it once, on any member. */
export async function initiateSet(ports: readonly number[]): Promise<void> {
  const client = new MongoClient(`mongodb://127.0.0.1:${ports[0]}/`, { directConnection: true });
  try {
    const members = ports.map((port, _id) => ({ _id, host: `127.0.0.1:${port}` }));
    await client.db('admin').command({ replSetInitiate: { _id: SET, members } });
  } finally {
    await client.close();
  }
}

/** The URL with which clients find the current primary. */
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

/** @returns true if the set already has the right address */
async function initiateOrMove(admin: Db, host: string): Promise<boolean> {
  const members = [{ _id: 0, host }];
  let config: { members: { host: string }[]; version: number };
  try {
    config = (await admin.command({ replSetGetConfig: 1 }))['config'];
  } catch (error) {
    if (!isServerError(error, NOT_YET_INITIALIZED)) throw error;
    await admin.command({ replSetInitiate: { _id: SET, members } });
    return false;
  }
  if (config.members.length === 1 && config.members[0]?.host === host) return true;
  // Forced, because a member that does not find its own address in the set cannot become primary.
  const moved = { ...config, version: config.version + 1, members };
  await admin.command({ replSetReconfig: moved, force: true });
  return false;
}

function isServerError(error: unknown, code: number): boolean {
  return error instanceof MongoServerError && error.code === code;
}
