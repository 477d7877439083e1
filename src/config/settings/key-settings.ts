import { optionalText } from '../setting.ts';

/** The first platform key, and the keys that seal secrets. */
export const keySettings = {
  POSTHORN_BOOTSTRAP_KEY: optionalText({
    secret: true,
    minLength: 16,
    description:
      'A platform key that is accepted from the start. `posthorn start` makes and prints one where this is absent.',
  }),
  POSTHORN_MASTER_KEY: optionalText({
    secret: true,
    pattern: '^[A-Za-z0-9+/]{43}=$',
    description:
      '32 bytes in base64: seals endpoint secrets (AES-256-GCM). `posthorn start` makes one where this is absent.',
  }),
  POSTHORN_MASTER_KEYS_OTHER: optionalText({
    secret: true,
    pattern: '^[A-Za-z0-9+/]{43}=(,[A-Za-z0-9+/]{43}=){0,7}$',
    description:
      'Up to 8 further master keys, separated by commas, that open and never seal: while the master key is changed (docs/operations/secrets.md).',
  }),
};
