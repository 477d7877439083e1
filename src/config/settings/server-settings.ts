import { integer, optionalText, text } from '../setting.ts';

/** The folders of `posthorn start`, and the servers: NATS and MongoDB. */
export const serverSettings = {
  POSTHORN_DATA_DIR: text({
    default: '.posthorn',
    minLength: 1,
    description:
      'Folder of `posthorn start`: the data of the embedded servers, the keys made at the first start.',
  }),
  POSTHORN_CACHE_DIR: optionalText({
    minLength: 1,
    description:
      "Folder where fetched server binaries are kept (default: `posthorn` in the user's cache folder).",
  }),
  POSTHORN_NATS_URL: optionalText({
    pattern: '^(nats|tls|wss?)://',
    description:
      'NATS servers, separated by commas. `posthorn start` embeds one where this is absent.',
  }),
  POSTHORN_NATS_PORT: integer({
    default: 0,
    minimum: 0,
    maximum: 65535,
    description:
      'Port of the embedded nats-server on 127.0.0.1, where producers on this machine reach it. 0: any free one.',
  }),
  POSTHORN_NATS_USER: optionalText({
    minLength: 1,
    description: 'User that the platform connects to NATS as. Absent: none.',
  }),
  POSTHORN_NATS_PASSWORD: optionalText({
    secret: true,
    minLength: 1,
    description: 'Password of that user.',
  }),
  POSTHORN_NATS_AUTH_SEED: optionalText({
    secret: true,
    pattern: '^SA[A-Z2-7]{56}$',
    description:
      'Seed of the account key that NATS has as the issuer of its auth callout: ingress then lets producers in with their API keys. `posthorn start` makes one for its own NATS.',
  }),
  POSTHORN_NATS_AUTH_ACCOUNT: text({
    default: '$G',
    minLength: 1,
    description:
      'Account of NATS that producers are placed in: the one that the platform connects to.',
  }),
  POSTHORN_MONGODB_URL: optionalText({
    secret: true,
    pattern: '^mongodb(\\+srv)?://',
    description: 'MongoDB, a replica set. `posthorn start` embeds one where this is absent.',
  }),
  POSTHORN_MONGODB_DATABASE: text({
    default: 'posthorn',
    pattern: '^[a-zA-Z0-9_-]{1,63}$',
    description: 'Name of the database.',
  }),
};
