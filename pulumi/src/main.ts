import * as pulumi from '@pulumi/pulumi';
import { ConfigError, readSettings } from './config.ts';
import { createPlatform } from './program.ts';

/** Pulumi shows this error as it is, without a stack: the words are for the operator. */
function settingsOfStack() {
  try {
    return readSettings(pulumi.runtime.allConfig());
  } catch (error) {
    if (error instanceof ConfigError) throw new pulumi.RunError(error.message);
    throw error;
  }
}

const platform = createPlatform(settingsOfStack());

export const {
  egress,
  egressAddresses,
  recoveryEgressAddresses,
  recoveryEgressAllocationIds,
  clusterName,
  kubeconfig,
  imageRepository,
  archiveBucket,
  mongodbPrivateEndpointId,
} = platform;
