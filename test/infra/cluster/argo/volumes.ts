import { at } from '../../manifests.ts';
import type { KubeApi, KubeObject } from '../kube-api.ts';
import { zoneOfNode } from '../zones.ts';

const SELECTED_NODE = 'volume.kubernetes.io/selected-node';

/**
 * Replaces the driver of volumes: creates the volume of each claim for which the scheduler has
 * chosen a node, in the zone of that node. The volume controller then binds it.
 */
export async function provisionVolumes(api: KubeApi): Promise<void> {
  for (const claim of await api.list('v1', 'PersistentVolumeClaim')) {
    const node = claim.metadata.annotations?.[SELECTED_NODE];
    if (node === undefined || at(claim, 'spec', 'volumeName') !== undefined) continue;
    await provision(api, claim, node);
  }
}

async function provision(api: KubeApi, claim: KubeObject, node: string): Promise<void> {
  const { name, namespace, uid } = claim.metadata;
  const storageClassName = String(at(claim, 'spec', 'storageClassName'));
  const metadata = { name: storageClassName };
  const storageClass = await api.get({
    apiVersion: 'storage.k8s.io/v1',
    kind: 'StorageClass',
    metadata,
  });
  const zone = {
    key: 'topology.kubernetes.io/zone',
    operator: 'In',
    values: [zoneOfNode(node)],
  };
  await api.apply({
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: `pvc-${uid}` },
    spec: {
      capacity: at(claim, 'spec', 'resources', 'requests'),
      accessModes: at(claim, 'spec', 'accessModes'),
      storageClassName,
      persistentVolumeReclaimPolicy: at(storageClass, 'reclaimPolicy'),
      claimRef: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', name, namespace, uid },
      csi: { driver: at(storageClass, 'provisioner'), volumeHandle: uid },
      nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [zone] }] } },
    },
  });
}
