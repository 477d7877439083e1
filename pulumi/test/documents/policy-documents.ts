import type { Recorded } from '../kit/record-platform.ts';

export interface PolicyStatement {
  Sid: string;
  Effect: string;
  Principal?: '*' | Record<string, string | string[]>;
  Action: string[];
  Resource?: string[];
  Condition?: Record<string, Record<string, unknown>>;
}

/** An access policy that the program wrote, with its resource. */
export interface PolicyDocument {
  resource: string;
  statements: PolicyStatement[];
}

/** Every access policy among the inputs of resources, wherever it stands. */
export function policyDocumentsOf(resources: readonly Recorded[]): PolicyDocument[] {
  return resources.flatMap(({ type, name, inputs }) =>
    Object.entries(inputs).flatMap(([key, value]) => {
      if (typeof value !== 'string' || !value.includes('"Statement"')) return [];
      const { Statement } = JSON.parse(value) as { Statement: PolicyStatement[] };
      const kind = type.slice(type.lastIndexOf(':') + 1);
      return [{ resource: `${kind} ${name} ${key}`, statements: Statement }];
    }),
  );
}

const listed = (value: unknown): string => [value].flat().join(', ');

function describePrincipal(principal: PolicyStatement['Principal']): string {
  if (principal === undefined) return '';
  if (principal === '*') return ' anybody';
  return Object.entries(principal)
    .map(([kind, who]) => ` ${kind} ${listed(who)}`)
    .join('');
}

function describeConditions(condition: PolicyStatement['Condition']): string[] {
  return Object.entries(condition ?? {}).flatMap(([operator, keys]) =>
    Object.entries(keys).map(([key, value]) => `    if ${operator} ${key}: ${listed(value)}`),
  );
}

/** Policies as text that a reviewer can read, one after the other by name. */
export function describePolicies(documents: readonly PolicyDocument[]): string {
  const blocks = documents.map(({ resource, statements }) => {
    const lines = statements.flatMap((statement) => [
      `  ${statement.Sid}: ${statement.Effect}${describePrincipal(statement.Principal)}`,
      ...statement.Action.map((action) => `    ${action}`),
      ...(statement.Resource ?? []).map((resource) => `    on ${resource}`),
      ...describeConditions(statement.Condition),
    ]);
    return `${resource}\n${lines.join('\n')}\n`;
  });
  return blocks.toSorted().join('\n');
}

/** Whether a statement speaks of anything or anybody that it does not name in full. */
export function hasWildcard({ Action, Resource, Principal }: PolicyStatement): boolean {
  const who = typeof Principal === 'object' ? Object.values(Principal) : [Principal ?? ''];
  return [Action, Resource ?? [], who].flat(2).some((item) => item.includes('*'));
}
