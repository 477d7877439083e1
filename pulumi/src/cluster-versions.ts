/**
 * The versions of Kubernetes that EKS offers, newest first, with the last day of standard support.
 * https://docs.aws.amazon.com/eks/latest/userguide/kubernetes-versions.html: standard support lasts
 * for 14 months from the release on EKS. Add a version when AWS publishes it.
 */
export const clusterVersions = [
  { version: '1.36', released: '2026-06-02', standardSupportEnds: '2027-08-02' },
  { version: '1.35', released: '2026-01-27', standardSupportEnds: '2027-03-27' },
  { version: '1.34', released: '2025-10-02', standardSupportEnds: '2026-12-02' },
] as const;

/** The version of a new cluster. */
export const newestClusterVersion = clusterVersions[0].version;

/** An upgrade is due this many days before standard support ends. */
export const UPGRADE_DAYS = 90;

const DAY_MS = 24 * 60 * 60 * 1000;

/**
 * Returns the reason for which the version of a cluster has to be changed.
 * @param ends the last day of standard support, `YYYY-MM-DD`; the table above without it
 * @returns undefined while standard support lasts for 90 days or more
 */
export function supportFault(version: string, now: Date, ends?: string): string | undefined {
  const end = ends ?? clusterVersions.find((one) => one.version === version)?.standardSupportEnds;
  const wanted =
    version === newestClusterVersion
      ? 'add the next version of EKS to cluster-versions.ts, and upgrade to it'
      : `upgrade to ${newestClusterVersion}, one minor version at a time`;
  if (end === undefined) return `EKS ${version} is not in cluster-versions.ts: ${wanted}`;
  const days = Math.floor((Date.parse(end) - now.getTime()) / DAY_MS);
  if (days >= UPGRADE_DAYS) return undefined;
  const left = days < 0 ? 'has ended' : `ends in ${days} days`;
  return `standard support of EKS ${version} ${left} (${end}): ${wanted}`;
}
