import { integer, optionalText } from '../setting.ts';

/** The first platform key, and the keys that seal secrets. */
export const keySettings = {
  POSTHORN_BOOTSTRAP_KEY: optionalText({
    secret: true,
    minLength: 16,
    description:
      'A platform key that is valid from the start. Absent: `posthorn start` creates and prints one.',
  }),
  POSTHORN_WRONG_KEYS_PER_MINUTE: integer({
    default: 60,
    minimum: 1,
    maximum: 1_000_000,
    description:
      'Wrong keys that each process accepts from one address in a minute. Beyond that, it answers 429 to keys from there that it has not accepted before.',
  }),
  POSTHORN_MASTER_KEY: optionalText({
    secret: true,
    pattern: '^[A-Za-z0-9+/]{43}=$',
    description:
      'Key that seals endpoint secrets (AES-256-GCM): 32 bytes in base64. Absent: `posthorn start` creates one.',
  }),
  POSTHORN_MASTER_KEYS_OTHER: optionalText({
    secret: true,
    pattern: '^[A-Za-z0-9+/]{43}=(,[A-Za-z0-9+/]{43}=){0,7}$',
    description:
      'Up to 8 further master keys, separated by commas, that open secrets but never seal them. For changing the master key (docs/operations/secrets.md).',
  }),
};
