/**
 * Why a statement holds a wildcard (an action, a resource or a principal with `*`), by its Sid. A
 * test refuses a wildcard that is not here, and an entry that no statement needs any more.
 */
export const wildcardReasons: Readonly<Record<string, string>> = {
  AccountAdministersKey:
    'In a key policy `*` is this key alone. Without this statement IAM has no say over the key and ' +
    'no role could ever change it',
  LogsUseKey: 'In a key policy `*` is this key alone, and the log groups belong to this platform',
  AlarmsUseKey: 'In a key policy `*` is this key alone',
  AutoScalingUsesKey: 'In a key policy `*` is this key alone',
  AutoScalingGrantsKey: 'In a key policy `*` is this key alone; grants for AWS resources only',
  DenyInsecureTransport: 'It denies: every action, by anybody, on the bucket and all in it',
  DenyOldTls: 'It denies: every action, by anybody, on the bucket and all in it',
  DenySecretOverInsecureTransport: 'It denies: every action, by anybody, on the secret itself',
  OwnBucketsThroughEndpoint:
    'An endpoint policy only narrows what IAM allows: any bucket, as long as this account owns it',
  ImageLayersThroughEndpoint:
    'ECR keeps layers in a bucket of AWS; the objects have no names known before. Reads only',
  ImageCacheFills: 'The repositories of one cache; they are named after images of others',
  FlowLogsWrite: 'The streams of one log group; their names are chosen by AWS',
  FlowLogsLook: 'The action has no resource level; it shows names of log groups, and no data',
  ArchiveObjects: 'The objects of one bucket; their names consist of tenant and hour',
  MongodbBackupObjects: 'The objects of one bucket; the operator names them',
  ReplicateFromSource: 'The objects of one bucket, all of which are copied',
  ReplicateToTarget: 'The objects of one bucket, all of which are copies',
  AutoscalerLooks: 'Describe actions have no resource level; they show sizes, and no data',
  AutoscalerScales: 'The groups are named by AWS; the condition takes those of this cluster only',
  AutoscalerNodeGroups: 'The node groups of this cluster; their ids end in letters that AWS chose',
  BalancerLooks: 'Describe actions have no resource level; they show names, and no data',
  BalancerCreates: 'It generates the names of its balancers; they have to carry this cluster',
  BalancerMarks: 'While it creates them, and with the tag of this cluster only',
  BalancerChanges: 'Only what carries the tag of this cluster',
  BalancerListens: 'Only on balancers that carry the tag of this cluster',
  BalancerGroupCreates:
    'A group has no id before it is made; it has to carry the tag of this cluster',
  BalancerGroupMarks: 'While it creates a group, and with the tag of this cluster only',
  BalancerGroupRules: 'Opens nodes to its balancers: groups of this VPC only',
  BalancerGroupDeletes: 'Only groups that carry the tag of this cluster',
};
