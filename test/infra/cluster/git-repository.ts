import { execFile } from 'node:child_process';
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parse, stringify } from 'yaml';
import { projectRoot } from '../../docs/project-files.ts';
import type { AppsValues } from './stand-in-charts.ts';

/** charts/ and argocd/ of this project as a repository of their own, as an operator has it: with other addresses. */
export class GitRepository {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  get url(): string {
    return `file://${this.path}`;
  }

  /** @param chartsUrl serves, instead of those that are named, charts of the same names and versions */
  static async make(dir: string, chartsUrl: string): Promise<GitRepository> {
    const repository = new GitRepository(join(dir, 'posthorn.git'));
    await mkdir(repository.path);
    for (const folder of ['charts', 'argocd']) {
      await cp(join(projectRoot, folder), join(repository.path, folder), { recursive: true });
    }
    await repository.edit('argocd/apps/values.yaml', (content) => {
      const values = content as AppsValues;
      values.repoURL = repository.url;
      values.nats.repoURL = chartsUrl;
      for (const chart of Object.values(values.platform)) chart.repoURL = chartsUrl;
    });
    await repository.git('init', '--quiet', '--initial-branch', 'main');
    await repository.commit('first');
    return repository;
  }

  /** Changes a file of YAML. */
  async edit(path: string, change: (content: unknown) => void): Promise<void> {
    const file = join(this.path, path);
    const content = parse(await readFile(file, 'utf8')) as unknown;
    change(content);
    await writeFile(file, stringify(content));
  }

  /** Everything that was changed. @returns its hash */
  async commit(message: string): Promise<string> {
    await this.git('add', '--all');
    await this.git('commit', '--quiet', '--message', message);
    return (await this.git('rev-parse', 'HEAD')).trim();
  }

  private async git(...args: string[]): Promise<string> {
    const who = ['-c', 'user.name=checks', '-c', 'user.email=checks@example.com'];
    const own = ['-c', 'commit.gpgsign=false', '-c', 'core.hooksPath=/dev/null'];
    const { stdout } = await promisify(execFile)('git', [...who, ...own, ...args], {
      cwd: this.path,
      timeout: 60_000,
    });
    return stdout;
  }
}
