import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  clusterVersions,
  newestClusterVersion,
  supportFault,
  UPGRADE_DAYS,
} from '../src/cluster-versions.ts';
import { stacks } from '../stack-file.ts';
import { onlyOf } from './kit/find-resources.ts';
import { recordPlatform } from './kit/record-platform.ts';

const day = (text: string): Date => new Date(`${text}T12:00:00Z`);

test('a version is accepted until 90 days before the end of standard support', () => {
  assert.equal(UPGRADE_DAYS, 90);
  assert.equal(supportFault('1.36', day('2027-05-03')), undefined);
  assert.equal(
    supportFault('1.36', day('2027-05-05')),
    'standard support of EKS 1.36 ends in 88 days (2027-08-02): ' +
      'add the next version of EKS to cluster-versions.ts, and upgrade to it',
  );
});

test('rejects a version without standard support with the day on which it ended', () => {
  assert.match(
    String(supportFault('1.34', day('2026-12-03'))),
    /^standard support of EKS 1\.34 has ended \(2026-12-02\): upgrade to 1\.36, one minor version/,
  );
});

test('rejects an unknown version with the file that lists them', () => {
  assert.match(String(supportFault('1.99', day('2026-12-01'))), /not in cluster-versions\.ts/);
});

test('a date that AWS announces replaces that of the table', () => {
  assert.equal(supportFault('1.34', day('2026-12-01'), '2027-06-01'), undefined);
});

test('the versions are in descending order, each with 14 months of standard support', () => {
  const minors = clusterVersions.map(({ version }) => Number(version.split('.')[1]));
  assert.deepEqual(
    minors,
    minors.toSorted((one, other) => other - one),
  );
  for (const { released, standardSupportEnds } of clusterVersions) {
    const end = new Date(released);
    end.setUTCMonth(end.getUTCMonth() + 14);
    assert.equal(end.toISOString().slice(0, 10), standardSupportEnds);
  }
});

for (const stack of stacks) {
  test(`${stack}: the cluster has the newest version of EKS`, async () => {
    const { resources } = await recordPlatform(stack);
    assert.equal(onlyOf(resources, 'eks/cluster:Cluster').inputs['version'], newestClusterVersion);
  });
}
