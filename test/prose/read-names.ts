/**
 * The names that a TypeScript file declares: variables, parameters, functions, members of classes.
 */
import { parseSync } from 'oxc-parser';
import { lineFinder, type Node, walk } from './syntax.ts';

export interface DeclaredName {
  name: string;
  line: number;
}

/**
 * One entry for each name, at its first declaration. Keys of objects and interfaces are left out.
 */
export function readNames(file: string, code: string): DeclaredName[] {
  const { program } = parseSync(file, code);
  const lineOf = lineFinder(code);
  const found = new Map<string, DeclaredName>();
  walk(program as unknown as Node, (node) => {
    for (const { name, start } of declaredBy(node)) {
      if (!found.has(name)) found.set(name, { name, line: lineOf(start) });
    }
  });
  return [...found.values()];
}

interface Identifier extends Node {
  name: string;
}

function declaredBy(node: Node): Identifier[] {
  switch (node.type) {
    case 'VariableDeclarator':
      return namesIn(node['id']);
    case 'FunctionDeclaration':
      return [...namesIn(node['id']), ...namesIn(node['params'])];
    case 'FunctionExpression':
    case 'ArrowFunctionExpression':
      return namesIn(node['params']);
    case 'MethodDefinition':
    case 'PropertyDefinition':
      return namesIn(node['key']);
    default:
      return [];
  }
}

/** The identifiers of a pattern: `a`, `{ x: a, ...b }`, `[a = 1]`. */
function namesIn(pattern: unknown): Identifier[] {
  if (Array.isArray(pattern)) return pattern.flatMap(namesIn);
  if (pattern === null || pattern === undefined) return [];
  const node = pattern as Node;
  switch (node.type) {
    case 'Identifier':
      return [node as Identifier];
    case 'ObjectPattern':
      return namesIn(node['properties']);
    case 'ArrayPattern':
      return namesIn(node['elements']);
    case 'Property':
      return namesIn(node['value']);
    case 'AssignmentPattern':
      return namesIn(node['left']);
    case 'RestElement':
      return namesIn(node['argument']);
    default:
      return [];
  }
}
