import type { Tool } from '../../test/infra/tools.ts';

/**
 * The engine of Pulumi with its command line, from source: where its releases cannot be fetched,
 * its module still can. The newest version of the module that is served whole.
 */
export const engineTool: Pick<Tool, 'name' | 'version'> = { name: 'pulumi', version: 'v3.150.0' };
