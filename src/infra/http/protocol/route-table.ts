import type { FastifyInstance } from 'fastify';

interface KnownPath {
  matches: RegExp;
  methods: Set<string>;
}

/** The methods of each path of an app. Only requests without a route use it. */
export class RouteTable {
  private readonly paths = new Map<string, KnownPath>();

  /** Records every route that is registered from here on. */
  static watch(app: FastifyInstance): RouteTable {
    const table = new RouteTable();
    app.addHook('onRoute', ({ url, method }) => table.add(url, [method].flat()));
    return table;
  }

  /**
   * For `Allow` (RFC 9110, section 10.2.1); empty if there is no such path. `*` means the whole
   * server.
   */
  allowed(path: string): string[] {
    const found = new Set<string>();
    for (const { matches, methods } of this.paths.values()) {
      if (path !== '*' && !matches.test(path)) continue;
      for (const method of methods) found.add(method);
    }
    if (found.size > 0) found.add('OPTIONS');
    return [...found].toSorted();
  }

  private add(url: string, methods: readonly string[]): void {
    const known = this.paths.get(url) ?? { matches: patternOf(url), methods: new Set<string>() };
    for (const method of methods) known.methods.add(method);
    this.paths.set(url, known);
  }
}

/** Matches a route's URL with `:name` and, at its end, `*`. */
function patternOf(url: string): RegExp {
  const source = url
    .split('/')
    .map((segment) => {
      if (segment === '*') return '.*';
      return segment.startsWith(':') ? '[^/]+' : segment.replaceAll(/[^\w-]/g, String.raw`\$&`);
    })
    .join('/');
  return new RegExp(`^${source}$`);
}
