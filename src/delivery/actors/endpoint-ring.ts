import type { EndpointActor } from './endpoint-actor.ts';

/** Endpoints that go round: each stands in it once. */
export class EndpointRing {
  private readonly actors: EndpointActor[] = [];
  private readonly members = new Set<EndpointActor>();

  get length(): number {
    return this.actors.length;
  }

  /** At the end, where it does not stand in it already. */
  add(actor: EndpointActor): void {
    if (this.members.has(actor)) return;
    this.members.add(actor);
    this.actors.push(actor);
  }

  /** Takes out the first that `fits`, and with it those before it, which do not. */
  take(fits: (actor: EndpointActor) => boolean): EndpointActor | undefined {
    for (let actor = this.actors.shift(); actor !== undefined; actor = this.actors.shift()) {
      this.members.delete(actor);
      if (fits(actor)) return actor;
    }
    return undefined;
  }
}
