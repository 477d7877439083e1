import { type JetStreamManager, jetstreamManager } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { type LeaseKind, buckets, leaseKeys, tenantOfLane } from '#wire/subjects.ts';

/** The contents of a stream and the state of its consumers. */
interface StreamCount {
  messages: number;
  consumers: { name: string; waiting: number; unacked: number }[];
  /** Cluster members that are offline or behind. */
  behind: string[];
}

/** Counts the contents of JetStream, over its own connection. */
export class Census {
  private readonly nc: NatsConnection;
  private readonly jsm: JetStreamManager;

  private constructor(nc: NatsConnection, jsm: JetStreamManager) {
    this.nc = nc;
    this.jsm = jsm;
  }

  static async open(natsUrl: string): Promise<Census> {
    const nc = await connect({
      servers: natsUrl.split(','),
      maxReconnectAttempts: -1,
      reconnectTimeWait: 250,
    });
    return new Census(nc, await jetstreamManager(nc, { timeout: 5000 }));
  }

  /** The name of the server that leads a stream. */
  async leaderOf(stream: string): Promise<string> {
    return (await this.jsm.streams.info(stream)).cluster?.leader ?? '';
  }

  /**
   * The process id of the router or worker that owns a shard, which is the last part of its name.
   */
  async ownerOf(kind: LeaseKind, shard: number): Promise<number> {
    const key = { last_by_subj: `$KV.${buckets.leases}.${leaseKeys(kind).shard(shard)}` };
    const lease = await this.jsm.streams.getMessage(`KV_${buckets.leases}`, key);
    return Number(lease?.string().split('-').at(-1));
  }

  /** The owners of all shards. */
  async owners(): Promise<number[]> {
    const shards = await this.shards();
    return Promise.all(
      Array.from({ length: shards }, (_, shard) => this.ownerOf('delivery', shard)),
    );
  }

  async shards(): Promise<number> {
    const streams = await this.jsm.streams.list().next();
    return streams.filter(({ config }) => config.name.startsWith('DLV-')).length;
  }

  /**
   * The shared durable consumers of each stream, which must be the same after a fault. Lanes may
   * differ.
   */
  async consumers(): Promise<Record<string, string[]>> {
    const counts = await this.count();
    return Object.fromEntries(
      [...counts].map(([stream, { consumers }]) => [
        stream,
        consumers.map(({ name }) => name).filter((name) => tenantOfLane(name) === undefined),
      ]),
    );
  }

  /**
   * Lists everything that is not at rest: remaining work or schedules, unacked messages, replicas
   * behind.
   */
  async unrest(): Promise<string[]> {
    const found: string[] = [];
    for (const [stream, { messages, consumers, behind }] of await this.count()) {
      if (stream.startsWith('DLV-') && messages > 0) found.push(`${stream}: ${messages} messages`);
      for (const { name, waiting, unacked } of consumers) {
        if (waiting + unacked > 0)
          found.push(`${stream} ${name}: ${waiting} pending, ${unacked} unacked`);
      }
      for (const server of behind) found.push(`${stream}: ${server} is behind`);
    }
    return found;
  }

  close(): Promise<void> {
    return this.nc.close();
  }

  private async count(): Promise<Map<string, StreamCount>> {
    const counts = new Map<string, StreamCount>();
    for await (const { config, state, cluster } of this.jsm.streams.list()) {
      // Consumers of watches exist only while their processes run.
      if (config.name.startsWith('KV_')) continue;
      const replicas = cluster?.replicas ?? [];
      const consumers: StreamCount['consumers'] = [];
      for await (const consumer of this.jsm.consumers.list(config.name)) {
        const { name, num_pending: waiting, num_ack_pending: unacked } = consumer;
        consumers.push({ name, waiting, unacked });
      }
      counts.set(config.name, {
        messages: state.messages,
        consumers: consumers.toSorted((a, b) => a.name.localeCompare(b.name)),
        behind: replicas.filter((peer) => !peer.current).map((peer) => peer.name),
      });
    }
    return counts;
  }
}
