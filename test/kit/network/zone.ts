import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readlinkSync } from 'node:fs';
import { waitUntil } from '../wait-until.ts';

/** The addresses of the two ends, visible only in the namespaces of the run. */
const CORE_HOST = '10.77.0.1';
const ZONE_HOST = '10.77.0.2';
const INTERFACE = 'eth0';

/**
 * A network namespace joined to that of this process by a virtual cable that can be cut. Packets
 * then vanish in both directions and connections stay open, as when a zone is cut off. The
 * namespace ends with its holder process.
 */
export class Zone {
  /** The address of this process's end, reachable from both ends. */
  readonly coreHost = CORE_HOST;
  readonly host = ZONE_HOST;
  private readonly holder: ChildProcess;

  private constructor(holder: ChildProcess) {
    this.holder = holder;
  }

  /**
   * Linux only, as root of a network namespace of the caller's own (`unshare --net`).
   *
   * @throws Error if the namespace or its cable cannot be created
   */
  static async open(): Promise<Zone> {
    const holder = spawn('unshare', ['--net', 'sleep', 'infinity'], { stdio: 'ignore' });
    const zone = new Zone(holder);
    try {
      await once(holder, 'spawn');
      await waitUntil(() => zone.isApart(), { what: 'a network namespace', deadlineMs: 5000 });
      const cable = ['link', 'add', 'zone0', 'type', 'veth', 'peer', 'name', INTERFACE];
      run(['ip', ...cable, 'netns', zone.pid]);
      run(['ip', 'addr', 'add', `${CORE_HOST}/24`, 'dev', 'zone0']);
      run(['ip', 'link', 'set', 'zone0', 'up']);
      run(zone.inside('ip', 'addr', 'add', `${ZONE_HOST}/24`, 'dev', INTERFACE));
      run(zone.inside('ip', 'link', 'set', 'lo', 'up'));
      zone.heal();
      return zone;
    } catch (error) {
      await zone.close();
      throw error;
    }
  }

  /** Prefix for a command that runs it in the zone. The process id remains that of the command. */
  get launcher(): string[] {
    return this.inside();
  }

  cut(): void {
    run(this.inside('ip', 'link', 'set', INTERFACE, 'down'));
  }

  heal(): void {
    run(this.inside('ip', 'link', 'set', INTERFACE, 'up'));
  }

  async close(): Promise<void> {
    if (this.holder.exitCode !== null || this.holder.signalCode !== null) return;
    const ended = once(this.holder, 'exit');
    this.holder.kill('SIGKILL');
    await ended;
  }

  /** Whether the holder has left the namespace of this process. */
  private isApart(): boolean {
    return readlinkSync(`/proc/${this.pid}/ns/net`) !== readlinkSync('/proc/self/ns/net');
  }

  private get pid(): string {
    return String(this.holder.pid);
  }

  private inside(...command: string[]): string[] {
    return ['nsenter', '--target', this.pid, '--net', '--', ...command];
  }
}

function words(command: readonly string[]): [string, string[]] {
  return [command[0] as string, command.slice(1)];
}

function run(command: readonly string[]): void {
  const { status, stderr, error } = spawnSync(...words(command), { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command.join(' ')}: ${error?.message ?? stderr.trim()}`);
}
