/**
 * The network policies allow the networks that the cloud program creates, at the recovery site too.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse } from 'yaml';
import { projectFiles, projectText } from '../../docs/project-files.ts';
import { at } from '../manifests.ts';

const stacks = projectFiles('pulumi/Pulumi.*.yaml');

test('the test finds the stacks', () => {
  assert.ok(stacks.length >= 4);
});

for (const { path, text } of stacks) {
  test(`${path}: the load balancer reaches the API, and the API reaches MongoDB`, () => {
    const config = at(parse(text), 'config');
    const environment = String(at(config, 'posthorn:environment'));
    const network = String(at(config, 'posthorn:vpcCidr'));
    const values: unknown = parse(projectText(`argocd/environments/${environment}/posthorn.yaml`));
    const clients = at(values, 'network', 'clientCidrs') as unknown[];
    assert.ok(clients.includes(network), `network.clientCidrs has ${network}`);
    const egress = at(values, 'network', 'egress') as object[];
    const databases = egress.filter((entry) => at(entry, 'purpose') === 'mongodb');
    assert.ok(
      databases.some((entry) => at(entry, 'cidr') === network),
      `network.egress has MongoDB in ${network}`,
    );
  });
}
