/**
 * Runs the program of a stack against a monitor that creates nothing, and records the requests.
 */
import * as pulumi from '@pulumi/pulumi';
import { getMonitor } from '@pulumi/pulumi/runtime/settings.js';
import { answerOf, stateOf } from './cloud-answers.ts';
import { stackSettings } from './stack-settings.ts';

/** A resource, as the engine would create it. */
export interface Recorded {
  /** Such as `aws:ec2/vpc:Vpc`. */
  type: string;
  name: string;
  inputs: Record<string, unknown>;
  protect: boolean;
  retainOnDelete: boolean;
  /** The name of its provider: which region. */
  provider: string;
  ignoreChanges: string[];
  dependsOn: string[];
}

export interface RecordedPlatform {
  resources: Recorded[];
  outputs: Record<string, unknown>;
}

/** The part of a registration that mocks do not show. */
interface RegisterRequest {
  getType: () => string;
  getName: () => string;
  getCustom: () => boolean;
  getProtect: () => boolean;
  getRetainondelete: () => boolean | undefined;
  getProvider: () => string;
  getIgnorechangesList: () => string[];
  getDependenciesList: () => string[];
}

interface Monitor {
  registerResource: (request: RegisterRequest, callback: unknown) => unknown;
}

/** `urn:...$type::name` or `urn...::id` to the last name in it. */
const lastName = (reference: string): string => reference.split('::').at(2 + 1) ?? '';

/** Earlier recordings. Another test shows that the program is deterministic. */
const recorded = new Map<string, Promise<RecordedPlatform>>();

/** The platform of a stack with changes, recorded once for all tests of a process. */
export function recordPlatform(
  stack: string,
  changes: Readonly<Record<string, string>> = {},
): Promise<RecordedPlatform> {
  const key = JSON.stringify([stack, changes]);
  const known = recorded.get(key) ?? runPlatform(stack, changes);
  recorded.set(key, known);
  return known;
}

/** Runs the program. One at a time: the monitor is Pulumi's own, and global. */
export async function runPlatform(
  stack: string,
  changes: Readonly<Record<string, string>> = {},
): Promise<RecordedPlatform> {
  const inputs = new Map<string, Record<string, unknown>>();
  const resources: Recorded[] = [];
  await pulumi.runtime.setMocks(
    {
      newResource: (args) => {
        inputs.set(`${args.type}::${args.name}`, args.inputs);
        return { id: args.custom === false ? '' : `${args.name}-id`, state: stateOf(args) };
      },
      call: answerOf,
    },
    'posthorn',
    stack,
    true,
  );
  const monitor = getMonitor() as unknown as Monitor;
  const original = monitor.registerResource.bind(monitor);
  monitor.registerResource = (request, callback) => {
    if (request.getCustom()) resources.push(recordOf(request));
    return original(request, callback);
  };
  const { createPlatform } = await import('../../src/program.ts');
  const made = createPlatform(stackSettings(stack, changes));
  const values = pulumi.all(made as unknown as Record<string, pulumi.Output<unknown>>);
  const outputs = await new Promise<Record<string, unknown>>((resolve) => {
    values.apply((all) => resolve(all as Record<string, unknown>));
  });
  await pulumi.runtime.disconnect();
  for (const resource of resources) {
    resource.inputs = inputs.get(`${resource.type}::${resource.name}`) ?? {};
  }
  return { resources, outputs };
}

function recordOf(request: RegisterRequest): Recorded {
  return {
    type: request.getType(),
    name: request.getName(),
    inputs: {},
    protect: request.getProtect(),
    retainOnDelete: request.getRetainondelete() ?? false,
    provider: lastName(request.getProvider()),
    ignoreChanges: request.getIgnorechangesList(),
    dependsOn: request.getDependenciesList(),
  };
}
