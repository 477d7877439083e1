import { readFileSync } from 'node:fs';
import { parse } from 'yaml';

const ROOT = new URL('.', import.meta.url);

/** The configuration in a committed `Pulumi.<stack>.yaml`, as Pulumi would hand it on. */
export function readStackFile(stack: string): Record<string, string> {
  const text = readFileSync(new URL(`Pulumi.${stack}.yaml`, ROOT), 'utf8');
  return (parse(text) as { config: Record<string, string> }).config;
}

/** The stacks of the repository. */
export const stacks = ['dev', 'stage', 'prod', 'prod-recovery'] as const;

export const ACCOUNT = '123456789012';

/** The settings that an owner adds to the committed file of a stack, for an invented owner. */
export const EXAMPLE_OWNER: Readonly<Record<string, string>> = {
  'posthorn:accountId': ACCOUNT,
  'posthorn:clusterAdminRoleArns': `["arn:aws:iam::${ACCOUNT}:role/platform-admin"]`,
  'posthorn:alertEmails': '["platform@example.com"]',
  'posthorn:gitRepository': 'https://git.example.com/platform/posthorn.git',
};

/** The settings of a recovery site that the primary stack publishes, with invented addresses. */
export const EXAMPLE_RECOVERY: Readonly<Record<string, string>> = {
  'posthorn:egressAllocationIds': '["eipalloc-00000001","eipalloc-00000002","eipalloc-00000003"]',
};
