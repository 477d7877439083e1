/** Cancels waiting and held deliveries, or releases held ones, one after the other. */
import { isPosthornError } from '#domain/errors.ts';
import type { History } from '#infra/mongo/documents.ts';
import type { DeliveryActions } from '../../deliveries/delivery-actions.ts';
import type { HeldDeliveries } from '../../deliveries/held-deliveries.ts';
import { statusFault } from '../../plans/delivery-candidates.ts';
import type { Batch, BatchAction } from './batch.ts';

export interface ActOnWaitingDeps {
  history: Pick<History, 'deliveries'>;
  actions: Pick<DeliveryActions, 'cancel'>;
  held: Pick<HeldDeliveries, 'release'>;
}

export class ActOnWaiting implements BatchAction {
  private readonly deps: ActOnWaitingDeps;

  constructor(deps: ActOnWaitingDeps) {
    this.deps = deps;
  }

  async apply({ replay, items, earlier }: Batch): Promise<string[]> {
    const results: string[] = [];
    for (const [, , id] of items) {
      results.push(await this.act(replay.tenant, replay.action, id, earlier !== undefined));
    }
    return results;
  }

  private async act(
    lifeId: string,
    action: Batch['replay']['action'],
    id: string,
    isRepeat: boolean,
  ): Promise<string> {
    const { history, actions, held } = this.deps;
    const delivery = await history.deliveries.findOne({ _id: id, tenant: lifeId });
    if (delivery === null) return 'delivery_expired';
    const { status } = delivery.state;
    if (isRepeat && action === 'cancel' && status === 'cancelled') return 'cancelled';
    if (isRepeat && action === 'release' && status !== 'held') return 'released';
    const fault = statusFault(action, status);
    if (fault !== undefined) return fault;
    try {
      if (action === 'cancel') await actions.cancel(lifeId, id);
      else {
        const { endpoint: endpoint_id, accepted_at: at } = delivery;
        await held.release(lifeId, { id, endpoint_id, accepted_at: at.toISOString() });
      }
      return action === 'cancel' ? 'cancelled' : 'released';
    } catch (error) {
      if (isPosthornError(error) && error.code === 'POSTHORN_DELIVERY_NOT_WAITING') {
        return 'not_waiting';
      }
      throw error;
    }
  }
}
