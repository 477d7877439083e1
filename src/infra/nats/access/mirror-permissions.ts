/**
 * The rights of the recovery region's brokers on the brokers of the primary region: to follow the
 * streams that are mirrored, and nothing else. The link joins two sites with equal subjects, so
 * every other subject must stay on its side: a lease, a request or an event of one site must not
 * reach the other.
 */
import { mirroredStreams } from '../streams/mirrors.ts';
import type { NatsPermissions } from './role-permissions.ts';

/** The user with which the brokers of the recovery region connect, as a leaf node. */
export const MIRROR_USER = 'posthorn-mirror';

/** The JetStream domain of the primary region. */
export const PRIMARY_DOMAIN = 'primary';

/**
 * The rights of the leaf node.
 *
 * @param shards at least the number of shards of the installation
 */
export function mirrorPermissions(shards: number): Omit<NatsPermissions, 'allow_responses'> {
  const api = `$JS.${PRIMARY_DOMAIN}.API`;
  const follow = mirroredStreams(shards).flatMap((stream) => [
    // In both forms of the request: with and without the consumer's name.
    `${api}.CONSUMER.CREATE.${stream}`,
    `${api}.CONSUMER.CREATE.${stream}.>`,
    // Answers to flow control and heartbeats.
    `$JS.FC.${stream}.>`,
  ]);
  // Messages for mirrors, and answers to the requests of their brokers.
  return { publish: { allow: follow }, subscribe: { allow: ['$JS.M.>', '$JSC.R.>'] } };
}
