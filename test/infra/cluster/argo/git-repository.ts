import { execFile } from 'node:child_process';
import { cp, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parse, stringify } from 'yaml';
import { projectRoot, projectText } from '../../../docs/project-files.ts';
import type { AppsValues } from './stand-in-charts.ts';

/**
 * A copy of charts/ and argocd/ as its own repository, with other addresses, as an operator
 * would have.
 */
export class GitRepository {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  get url(): string {
    return `file://${this.path}`;
  }

  /**
   * @param chartsUrl serves, instead of those that are named, charts of the same names and versions
   */
  static async make(dir: string, chartsUrl: string): Promise<GitRepository> {
    const repository = new GitRepository(join(dir, 'posthorn.git'));
    await mkdir(repository.path);
    for (const folder of ['charts', 'argocd']) {
      await cp(join(projectRoot, folder), join(repository.path, folder), { recursive: true });
    }
    const file = 'argocd/apps/values.yaml';
    const values = parse(projectText(file)) as AppsValues;
    values.repoURL = repository.url;
    values.nats.repoURL = chartsUrl;
    values.argocd.repoURL = chartsUrl;
    for (const chart of Object.values(values.platform)) chart.repoURL = chartsUrl;
    await repository.git('init', '--quiet', '--initial-branch', 'main');
    await repository.commit(file, values);
    return repository;
  }

  /**
   * Commits a YAML file in place of the existing one.
   *
   * @returns the hash of the commit
   */
  async commit(file: string, content: object): Promise<string> {
    await writeFile(join(this.path, file), stringify(content));
    await this.git('add', '--all');
    await this.git('commit', '--quiet', '--message', `changes ${file}`);
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
