/**
 * The three machines of the installation guide, as processes of this one: each has a loopback
 * address, a root folder, and the files and units of systemd/ that the commands of the guide put
 * there. No systemd runs: the commands of the units are started as they are.
 */
import { execFile } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { mongod, natsServer } from '#src/embedded/program.ts';
import type { ServerProcess } from '#src/embedded/server-process.ts';
import { testBinary } from '#testkit/servers.ts';
import { projectRoot } from '../../docs/project-files.ts';
import { parseUnit, startUnit } from './unit.ts';

const run = promisify(execFile);
export const MACHINES = 3;

interface Programs {
  nats: string;
  mongod: string;
}

export class Machine {
  readonly number: number;
  readonly address: string;
  readonly root: string;
  private readonly all: readonly string[];
  private readonly programs: Programs;
  private readonly started = new Map<string, ServerProcess>();

  constructor(number: number, addresses: readonly string[], root: string, programs: Programs) {
    this.number = number;
    this.all = addresses;
    this.address = addresses[number - 1] as string;
    this.root = root;
    this.programs = programs;
  }

  /** Puts the addresses and folders of this machine in place of those of the guide. */
  translate(text: string): string {
    const addressed = this.all.reduce(
      (all, address, index) => all.replaceAll(`node-${index + 1}`, address),
      text,
    );
    return addressed
      .replaceAll(/DNS:(?=127\.)/g, 'IP:')
      .replaceAll(/0\.0\.0\.0|127\.0\.0\.1/g, this.address)
      .replaceAll('/opt/posthorn', projectRoot)
      .replaceAll('/usr/local/bin/nats-server', this.programs.nats)
      .replaceAll(/(?<![\w.}-])\/(etc|var\/lib)\//g, `${this.root}/$1/`)
      .replaceAll(/ -o \w+/g, ` -o ${userInfo().username}`);
  }

  /** Runs shell commands in a folder. Commands of systemd are left out. */
  async shell(commands: string, cwd: string): Promise<void> {
    const own = commands.split('\n').filter((line) => !line.startsWith('systemctl '));
    await run('bash', ['--norc', '-euc', this.translate(own.join('\n'))], { cwd, timeout: 60_000 });
  }

  /** Translates the files that the commands have installed, as they name the other machines. */
  localize(files: readonly string[]): void {
    for (const file of files) {
      const path = join(this.root, file);
      writeFileSync(path, this.translate(readFileSync(path, 'utf8')));
    }
  }

  async startNats(): Promise<void> {
    mkdirSync(join(this.root, 'var/lib/nats'), { recursive: true });
    const text = readFileSync(join(this.root, 'etc/systemd/system/nats-server.service'), 'utf8');
    await this.start('nats-server', text.replaceAll('%H', `machine-${this.number}`));
  }

  async startMongod(): Promise<void> {
    mkdirSync(join(this.root, 'var/lib/mongodb'), { recursive: true });
    const config = join(this.root, 'etc/mongod.conf');
    await this.start('mongod', `ExecStart=${this.programs.mongod} --config ${config}`);
  }

  /** Starts a process of Posthorn: `posthorn@http`, `posthorn-migrate`. */
  async startPosthorn(unit: string): Promise<ServerProcess> {
    const [name = '', instance] = unit.split('@');
    const file = instance === undefined ? `${name}.service` : `${name}@.service`;
    const text = readFileSync(join(this.root, 'etc/systemd/system', file), 'utf8');
    return this.start(unit, text.replaceAll('%i', instance ?? ''));
  }

  /** Ends everything that runs on it, as a power cut does. */
  async kill(): Promise<void> {
    for (const process of this.started.values()) await process.kill('SIGKILL');
    this.started.clear();
  }

  /** The last output of each process, for error texts. */
  get output(): string {
    const parts = [...this.started].map(([name, { output }]) => `--- ${name}\n${output}`);
    return parts.join('\n');
  }

  private async start(name: string, unitText: string): Promise<ServerProcess> {
    const process = await startUnit(name, parseUnit(this.translate(unitText)));
    this.started.set(name, process);
    return process;
  }
}

/** @param dir a folder for the roots of the machines */
export async function makeMachines(dir: string): Promise<Machine[]> {
  const programs = { nats: await testBinary(natsServer), mongod: await testBinary(mongod) };
  // The ports of the guide are fixed, so each run has its own addresses.
  const network = `127.${randomInt(1, 255)}.${randomInt(1, 255)}`;
  const numbers = Array.from({ length: MACHINES }, (_, index) => index + 1);
  const addresses = numbers.map((number) => `${network}.${number}`);
  return numbers.map((number) => {
    const root = join(dir, `machine-${number}`);
    mkdirSync(join(root, 'etc/systemd/system'), { recursive: true });
    return new Machine(number, addresses, root, programs);
  });
}
