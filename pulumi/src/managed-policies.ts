/**
 * The policies of AWS that the program attaches, each with the reason why not one of our own. They
 * hold wildcards, and AWS changes them; any other is refused by a test.
 */
export const managedPolicies = {
  eksCluster: {
    arn: 'arn:aws:iam::aws:policy/AmazonEKSClusterPolicy',
    reason: 'The control plane is run by AWS; EKS demands this policy on its role',
  },
  eksNode: {
    arn: 'arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy',
    reason: 'EKS demands it on the role of a node group; describes only, and no data',
  },
  registryPull: {
    arn: 'arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly',
    reason: 'The kubelet pulls also the images of the add-ons, from registries of AWS',
  },
  sessionManager: {
    arn: 'arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore',
    reason: 'The way to a node and to the private API without SSH keys or open ports',
  },
  containerNetwork: {
    arn: 'arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy',
    reason:
      'Follows the version of the add-on vpc-cni, which AWS runs; held by its pod, not by nodes',
  },
  blockStorage: {
    arn: 'arn:aws:iam::aws:policy/service-role/AmazonEBSCSIDriverPolicy',
    reason: 'Follows the version of the add-on; acts on volumes with the tag of the driver only',
  },
  backup: {
    arn: 'arn:aws:iam::aws:policy/service-role/AWSBackupServiceRolePolicyForBackup',
    reason: 'AWS Backup demands it for volumes; the tag of the selection chooses the volumes',
  },
  restore: {
    arn: 'arn:aws:iam::aws:policy/service-role/AWSBackupServiceRolePolicyForRestores',
    reason: 'AWS Backup demands it to restore volumes',
  },
  backupS3: {
    arn: 'arn:aws:iam::aws:policy/AWSBackupServiceRolePolicyForS3Backup',
    reason: 'AWS Backup demands it for buckets',
  },
  restoreS3: {
    arn: 'arn:aws:iam::aws:policy/AWSBackupServiceRolePolicyForS3Restore',
    reason: 'AWS Backup demands it to restore buckets',
  },
} as const;
