import { integer, optionalText, text } from '../setting.ts';

/** Folders of `posthorn start`, and the servers NATS and MongoDB. */
export const serverSettings = {
  POSTHORN_DATA_DIR: text({
    default: '.posthorn',
    minLength: 1,
    description:
      'Folder of `posthorn start`: the data of the embedded servers, and the keys created at the first start.',
  }),
  POSTHORN_CACHE_DIR: optionalText({
    minLength: 1,
    description:
      "Folder for downloaded server binaries (default: `posthorn` in the user's cache folder).",
  }),
  POSTHORN_NATS_URL: optionalText({
    pattern: '^(nats|tls|wss?)://',
    description: 'NATS servers, separated by commas. Absent: `posthorn start` embeds one.',
  }),
  POSTHORN_NATS_PORT: integer({
    default: 0,
    minimum: 0,
    maximum: 65535,
    description:
      'Port of the embedded nats-server on 127.0.0.1, for producers on this machine. 0: any free one.',
  }),
  POSTHORN_NATS_USER: optionalText({
    minLength: 1,
    description: 'User name with which the platform connects to NATS. Absent: none.',
  }),
  POSTHORN_NATS_PASSWORD: optionalText({
    secret: true,
    minLength: 1,
    description: 'Password of that user.',
  }),
  POSTHORN_NATS_CREDENTIALS_PATH: optionalText({
    minLength: 1,
    description:
      'Path of a credentials file of NATS (JWT and seed of a user), instead of a user with a password. Files of this and the next settings are read again at each connect, so renewed ones need no restart.',
  }),
  POSTHORN_NATS_NKEY_PATH: optionalText({
    minLength: 1,
    description: 'Path of a file with the seed of an NKey, instead of a user with a password.',
  }),
  POSTHORN_NATS_CA_PATH: optionalText({
    minLength: 1,
    description:
      'Path of the authorities (PEM) that sign the certificates of NATS. Requires TLS. Absent: the public ones, and those of `NODE_EXTRA_CA_CERTS`.',
  }),
  POSTHORN_NATS_CERTIFICATE_PATH: optionalText({
    minLength: 1,
    description: 'Path of the client certificate (PEM) for NATS. Requires TLS.',
  }),
  POSTHORN_NATS_KEY_PATH: optionalText({
    minLength: 1,
    description: 'Path of the key (PEM) of that certificate.',
  }),
  POSTHORN_NATS_AUTH_SEED: optionalText({
    secret: true,
    pattern: '^SA[A-Z2-7]{56}$',
    description:
      'Seed of the account key that NATS has as the issuer of its auth callout. With it, ingress admits producers to NATS by their API keys. `posthorn start` creates one for its embedded NATS.',
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
    description:
      'URL of MongoDB, which must be a replica set. Absent: `posthorn start` embeds one.',
  }),
  POSTHORN_MONGODB_CA_PATH: optionalText({
    minLength: 1,
    description:
      'Path of the authorities (PEM) that sign the certificates of MongoDB. The URL must request TLS.',
  }),
  POSTHORN_MONGODB_DATABASE: text({
    default: 'posthorn',
    pattern: '^[a-zA-Z0-9_-]{1,63}$',
    description: 'Name of the database.',
  }),
};
