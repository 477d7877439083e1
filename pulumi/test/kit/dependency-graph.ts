import type { Recorded } from './record-platform.ts';

/** Type and name of a resource, by which dependencies refer to it. */
export const identityOf = ({ type, name }: Pick<Recorded, 'type' | 'name'>): string =>
  `${type}::${name}`;

/** `urn:pulumi:stack::project::parents$type::name` as the identity of a resource. */
function identityOfUrn(urn: string): string {
  const [, , types = '', name = ''] = urn.split('::');
  return `${types.split('$').at(-1)}::${name}`;
}

/** The order in which the engine creates the resources of one run. */
export class DependencyGraph {
  private readonly direct = new Map<string, readonly string[]>();
  private readonly reached = new Map<string, ReadonlySet<string>>();

  constructor(resources: readonly Recorded[]) {
    const providers = resources.filter(({ type }) => type.startsWith('pulumi:providers:'));
    for (const resource of resources) {
      const dependencies = resource.dependsOn.map(identityOfUrn);
      // The engine creates the provider of a resource before the resource.
      const provider = providers.find(({ name }) => name === resource.provider);
      if (provider !== undefined) dependencies.push(identityOf(provider));
      this.direct.set(identityOf(resource), dependencies);
    }
  }

  /** Whether `later` waits for `earlier`, directly or through other resources. */
  waits(later: Recorded, earlier: Recorded): boolean {
    return this.reachedFrom(identityOf(later)).has(identityOf(earlier));
  }

  /** Whether `user` names `used` among its own dependencies. */
  refers(user: Recorded, used: Recorded): boolean {
    return this.direct.get(identityOf(user))?.includes(identityOf(used)) === true;
  }

  private reachedFrom(identity: string): ReadonlySet<string> {
    const known = this.reached.get(identity);
    if (known !== undefined) return known;
    const found = new Set<string>();
    this.reached.set(identity, found);
    for (const next of this.direct.get(identity) ?? []) {
      found.add(next);
      for (const further of this.reachedFrom(next)) found.add(further);
    }
    return found;
  }
}
