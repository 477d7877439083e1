import { setTimeout as delay } from 'node:timers/promises';
import type { Settings } from '#config/sections.ts';
import type { Clock } from '#domain/clock.ts';
import { ConfigError } from '#domain/errors.ts';
import { findFreePort, listenFault, loopbackFault } from '#src/embedded/free-port.ts';

export interface StartPorts {
  http: number;
  /** One for each role process. */
  ops: number[];
  receiver: number;
}

interface WantedPort {
  setting: string;
  /** Absent if no setting names the host. */
  hostSetting?: string;
  host: string;
  /** 0: any free one. */
  port: number;
}

/**
 * Chooses the ports of a start: those of the settings, and a free one for each 0.
 *
 * @param graceMs longest wait for ports that processes of a killed start may still hold
 * @throws ConfigError if 127.0.0.1 does not work, or one that names each setting whose port is
 * taken, or whose host is not an address of this machine
 */
export async function choosePorts(
  settings: Settings,
  processes: number,
  graceMs: number,
  clock: Clock,
): Promise<StartPorts> {
  const noLoopback = await loopbackFault();
  if (noLoopback !== undefined) throw withoutLoopback(noLoopback);
  const { api, ops } = settings;
  const wanted: WantedPort[] = [
    {
      setting: 'POSTHORN_HTTP_PORT',
      hostSetting: 'POSTHORN_HTTP_HOST',
      ...api,
    },
    ...Array.from({ length: processes }, (_, index) => ({
      setting: 'POSTHORN_OPS_PORT',
      hostSetting: 'POSTHORN_OPS_HOST',
      host: ops.host,
      port: ops.port === 0 ? 0 : ops.port + index,
    })),
    { setting: 'POSTHORN_RECEIVER_PORT', host: '127.0.0.1', port: settings.start.receiverPort },
  ];
  const deadline = clock.monotonicMs() + graceMs;
  for (;;) {
    const faults: string[] = [];
    for (const { setting, hostSetting = setting, host, port } of wanted) {
      const fault = await listenFault(port, host);
      if (fault === 'EADDRINUSE') {
        faults.push(`${setting}: port ${port} on ${host} is taken; name another one, or 0 for any`);
      } else if (fault !== undefined) {
        faults.push(`${hostSetting}: cannot listen on ${host}, port ${port} (${fault})`);
      }
    }
    if (faults.length === 0) break;
    if (clock.monotonicMs() > deadline) throw new ConfigError(faults);
    await delay(100);
  }
  const chosen: number[] = [];
  for (const { port } of wanted) chosen.push(port === 0 ? await findFreePort() : port);
  return {
    http: chosen[0] as number,
    ops: chosen.slice(1, -1),
    receiver: chosen.at(-1) as number,
  };
}

function withoutLoopback(code: string): ConfigError {
  return new ConfigError([
    `posthorn start needs the loopback address 127.0.0.1 (IPv4), which does not work on this machine (${code}): its servers and processes meet there. Bring the interface up (Linux: ip link set lo up), or run the servers and roles apart`,
  ]);
}
