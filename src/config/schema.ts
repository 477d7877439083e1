/**
 * Every setting: its environment variable, type, default, unit (last in its name) and meaning. The
 * reference in `docs/configuration.md` is generated from it, in this order, and checked against it.
 */
import { type Static, Type } from 'typebox';
import { text } from './setting.ts';
import { addressSettings } from './settings/address-settings.ts';
import { deliverySettings, egressSettings } from './settings/delivery-settings.ts';
import { eventSettings } from './settings/event-settings.ts';
import { httpSettings } from './settings/http-settings.ts';
import { keySettings } from './settings/key-settings.ts';
import { probeSettings } from './settings/probe-settings.ts';
import { serverSettings } from './settings/server-settings.ts';
import { storageSettings } from './settings/storage-settings.ts';
import { telemetrySettings } from './settings/telemetry-settings.ts';

export const planes = ['ingress', 'router', 'delivery', 'control'] as const;
/** The planes, and the synthetic probe that watches them from outside. */
export const roles = [...planes, 'probe'] as const;
export type Role = (typeof roles)[number];

export const settingsSchema = Type.Object(
  {
    POSTHORN_ROLES: text({
      default: planes.join(','),
      pattern: `^(${roles.join('|')})(,(${roles.join('|')}))*$`,
      description:
        'Roles of this process, separated by commas. `--roles` on the command line overrides it.',
    }),
    ...serverSettings,
    ...addressSettings,
    ...keySettings,
    ...storageSettings,
    ...eventSettings,
    ...httpSettings,
    ...deliverySettings,
    ...probeSettings,
    ...egressSettings,
    ...telemetrySettings,
  },
  { additionalProperties: false },
);

/** The checked values, by the names of their variables. */
export type Environment = Static<typeof settingsSchema>;
