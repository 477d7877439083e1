import { loadSettings } from '#config/load.ts';
import type { Settings } from '#config/sections.ts';

/** Changes to the default settings: a part of each section, and the number of shards of all. */
export type SettingsChanges = { shards?: number } & {
  [Section in 'streams' | 'ingress' | 'router' | 'delivery' | 'control']?: Partial<
    Settings[Section]
  >;
};

/** The default settings with one shard, webhooks to this machine, and the changes. */
export function testSettings(changes: SettingsChanges = {}): Settings {
  const { shards = 1 } = changes;
  const settings = loadSettings({ POSTHORN_EGRESS_ALLOW: '127.0.0.0/8' });
  return {
    ...settings,
    streams: { ...settings.streams, shards, ...changes.streams },
    ingress: { ...settings.ingress, shards, ...changes.ingress },
    router: { ...settings.router, shards, ...changes.router },
    delivery: { ...settings.delivery, shards, ...changes.delivery },
    control: { ...settings.control, shards, ...changes.control },
  };
}
