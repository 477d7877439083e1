/** The real engine of Pulumi on stub providers, with its state in a temporary folder. */
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as automation from '@pulumi/pulumi/automation/index.js';
import { toolPath } from '../../../test/infra/tools.ts';
import { engineTool } from '../../tools/engine-tool.ts';

const PROJECT = 'posthorn';
const PROVIDERS = ['aws', 'kubernetes'];
const STUB = fileURLToPath(new URL('stub-provider.ts', import.meta.url));

/** For the option `skip` of a test: false if the engine is there, else what to say. */
export function withoutEngine(): string | false {
  if (existsSync(toolPath(engineTool))) return false;
  const { name, version } = engineTool;
  return `${name} ${version} is not there; \`npm run tools\` builds it`;
}

/** A resource, as the engine keeps it. */
export interface StateResource {
  urn: string;
  type: string;
  protect?: boolean;
  retainOnDelete?: boolean;
  inputs?: Record<string, unknown>;
  outputs?: Record<string, unknown>;
}

export class StubEngine {
  private readonly dir: string;
  private runs = 0;

  private constructor(dir: string) {
    this.dir = dir;
  }

  /** The caller has to `remove` it. */
  static async start(): Promise<StubEngine> {
    const engine = new StubEngine(await mkdtemp(join(tmpdir(), 'posthorn-engine-')));
    const bin = join(engine.dir, 'bin');
    for (const folder of [bin, engine.state, engine.home]) await mkdir(folder);
    await symlink(toolPath(engineTool), join(bin, 'pulumi'));
    for (const provider of PROVIDERS) {
      const script = join(bin, `pulumi-resource-${provider}`);
      await writeFile(script, `#!/bin/sh\nexec '${process.execPath}' '${STUB}' "$@"\n`);
      await chmod(script, 0o755);
    }
    return engine;
  }

  private get state(): string {
    return join(this.dir, 'state');
  }

  private get home(): string {
    return join(this.dir, 'home');
  }

  /** A stack with this configuration added to its own, `posthorn:key` to text. */
  async stack(
    stackName: string,
    config: Readonly<Record<string, string>>,
  ): Promise<automation.Stack> {
    const program = () => import(`../../src/main.ts?engine-${this.runs++}`);
    const stack = await automation.LocalWorkspace.createOrSelectStack(
      { stackName, projectName: PROJECT, program },
      await this.options(stackName),
    );
    const values = Object.entries(config).map(([key, value]) => [key, { value }] as const);
    await stack.setAllConfig(Object.fromEntries(values));
    return stack;
  }

  /** A stack that was made before, without the program: it is not needed to destroy one. */
  async madeStack(stackName: string): Promise<automation.Stack> {
    const options = await this.options(stackName);
    return automation.LocalWorkspace.selectStack({ stackName, workDir: options.workDir }, options);
  }

  private async options(stackName: string) {
    const workDir = join(this.dir, stackName);
    await mkdir(workDir, { recursive: true });
    return {
      workDir,
      pulumiCommand: await automation.PulumiCommand.get({ root: this.dir }),
      pulumiHome: this.home,
      envVars: {
        PULUMI_BACKEND_URL: `file://${this.state}`,
        PULUMI_CONFIG_PASSPHRASE: 'only for tests',
        PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: 'true',
        PULUMI_SKIP_UPDATE_CHECK: 'true',
      },
    };
  }

  /** What the engine has written, as it lies in the file: nothing is decrypted. */
  async written(stackName: string): Promise<{ text: string; resources: StateResource[] }> {
    const file = join(this.state, '.pulumi', 'stacks', PROJECT, `${stackName}.json`);
    const text = await readFile(file, 'utf8');
    const { checkpoint } = JSON.parse(text) as {
      checkpoint: { latest: { resources?: StateResource[] } };
    };
    return { text, resources: checkpoint.latest.resources ?? [] };
  }

  async remove(): Promise<void> {
    await rm(this.dir, { recursive: true, force: true });
  }
}
