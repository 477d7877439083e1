import { readFileSync } from 'node:fs';
import { ServerProcess } from '#src/embedded/server-process.ts';

/** A unit file of systemd, as far as the units of this project use it. */
export interface Unit {
  /** Values of the section [Service], by their keys, in their order. */
  values: (key: string) => string[];
  value: (key: string) => string;
}

export function parseUnit(text: string): Unit {
  const lines = text.split('\n').flatMap((line) => {
    const [, key, value] = /^(\w+)=(.*)$/.exec(line) ?? [];
    return key === undefined ? [] : [{ key, value: value ?? '' }];
  });
  const values = (key: string): string[] =>
    lines.filter((line) => line.key === key).map(({ value }) => value);
  return {
    values,
    value(key) {
      const [found, ...more] = values(key);
      if (found === undefined || more.length > 0) throw new Error(`${key}: exactly one is needed`);
      return found;
    },
  };
}

/** Reads a file of settings as systemd does. */
export function parseEnvironment(text: string): Record<string, string> {
  const lines = text.split('\n').filter((line) => /^\w+=/.test(line));
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );
}

/** Starts the command of a unit with its environment and in its folder, without systemd. */
export function startUnit(name: string, unit: Unit): Promise<ServerProcess> {
  const env = Object.assign(
    {},
    ...unit.values('EnvironmentFile').map((file) => parseEnvironment(readFileSync(file, 'utf8'))),
    ...unit.values('Environment').map((line) => parseEnvironment(line.replaceAll(' ', '\n'))),
  ) as Record<string, string>;
  const [folder] = unit.values('WorkingDirectory');
  const [binary = '', ...args] = unit.value('ExecStart').split(' ');
  const pairs = Object.entries(env).map((pair) => pair.join('='));
  const launcher = [
    'env',
    '--ignore-environment',
    ...(folder ? [`--chdir=${folder}`] : []),
    ...pairs,
  ];
  return ServerProcess.spawn({ name, binary, args, launcher });
}
