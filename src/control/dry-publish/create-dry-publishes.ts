import { Admission } from '#wire/published/admission.ts';
import type { ControlDeps } from '../composition/control-deps.ts';
import { DryPublishes } from './dry-publishes.ts';

/** The part that explains the effect of events that are not stored. */
export function createDryPublishes({
  settings,
  config,
  checkLarge,
  clock,
}: ControlDeps): DryPublishes {
  const { eventBytesMax, eventTypePolicy: policy } = settings;
  return new DryPublishes({
    admission: new Admission({ config, policy, checkLarge }),
    config,
    eventBytesMax,
    clock,
  });
}
