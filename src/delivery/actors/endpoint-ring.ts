import type { EndpointActor } from './endpoint-actor.ts';

/** Round-robin ring of endpoints; holds each endpoint at most once. */
export class EndpointRing {
  private readonly actors: EndpointActor[] = [];
  private readonly members = new Set<EndpointActor>();

  get length(): number {
    return this.actors.length;
  }

  /** Appends the endpoint unless the ring already contains it. */
  add(actor: EndpointActor): void {
    if (this.members.has(actor)) return;
    this.members.add(actor);
    this.actors.push(actor);
  }

  /** Removes and returns the first endpoint that `fits`. Endpoints before it are removed too. */
  take(fits: (actor: EndpointActor) => boolean): EndpointActor | undefined {
    for (let actor = this.actors.shift(); actor !== undefined; actor = this.actors.shift()) {
      this.members.delete(actor);
      if (fits(actor)) return actor;
    }
    return undefined;
  }
}
