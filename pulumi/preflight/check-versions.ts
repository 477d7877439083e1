/**
 * Fails if the cluster of a stack is within 90 days of the end of standard support. It knows the
 * dates that are committed, and needs no AWS account.
 */
import { supportFault } from '../src/cluster-versions.ts';
import { readSettings } from '../src/config.ts';
import { EXAMPLE_OWNER, EXAMPLE_RECOVERY, readStackFile, stacks } from '../stack-file.ts';

for (const stack of stacks) {
  const config = { ...readStackFile(stack), ...EXAMPLE_OWNER };
  const recovery = config['posthorn:site'] === 'recovery' ? EXAMPLE_RECOVERY : {};
  const { clusterVersion } = readSettings({ ...config, ...recovery });
  const fault = supportFault(clusterVersion, new Date());
  process.stdout.write(`${stack}: ${fault ?? `EKS ${clusterVersion} is in standard support`}\n`);
  if (fault !== undefined) process.exitCode = 1;
}
