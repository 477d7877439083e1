import type { EgressGuard } from '#domain/egress.ts';
import { Sender } from '#infra/http/sender.ts';

/**
 * The senders in use: one for each tenant and origin, shared by the tenant's endpoints there, closed when the
 * last of them is passivated. Not shared between tenants: receivers that hang use up nobody else's.
 */
export class SenderPool {
  private readonly guard: EgressGuard;
  private readonly timeoutMs: number;
  private readonly senders = new Map<string, { sender: Sender; users: number }>();

  constructor(options: { guard: EgressGuard; timeoutMs: number }) {
    this.guard = options.guard;
    this.timeoutMs = options.timeoutMs;
  }

  acquire(tenant: string, origin: string): Sender {
    const key = `${tenant} ${origin}`;
    let entry = this.senders.get(key);
    if (entry === undefined) {
      const { guard, timeoutMs } = this;
      entry = { sender: new Sender({ origin, guard, timeoutMs }), users: 0 };
      this.senders.set(key, entry);
    }
    entry.users++;
    return entry.sender;
  }

  release(tenant: string, origin: string): void {
    const key = `${tenant} ${origin}`;
    const entry = this.senders.get(key);
    if (entry === undefined || --entry.users > 0) return;
    this.senders.delete(key);
    entry.sender.close();
  }

  close(): void {
    for (const { sender } of this.senders.values()) sender.close();
    this.senders.clear();
  }
}
