/**
 * `unevaluatedProperties` and `unevaluatedItems` (JSON Schema Core 2020-12, section 11). Ajv's
 * generated code loses track of `contains`, of `if` without a branch and of branches in `anyOf`, so
 * these two keywords are evaluated here. The verdict on each branch is still Ajv's.
 */
import type { DataValidateFunction, DataValidationCxt } from 'ajv/dist/types/index.js';
import type { ErrorObject, ValidateFunction } from 'ajv';
import type { RegexBudget } from '../../bounds/bounded-regex.ts';
import { childPointer } from '#domain/json-pointer.ts';
import { limits } from '#domain/limits.ts';
import { compilePattern } from './pattern.ts';
import type { SchemaChild, SchemaNode } from '../schema-graph.ts';

/** Keywords whose subschemas decide which annotations count. */
const DECIDING_KEYWORDS = ['anyOf', 'oneOf', 'if', 'contains'];
const UNEVALUATED_KEYWORDS = ['unevaluatedProperties', 'unevaluatedItems'];

export interface UnevaluatedDeps {
  /** Returns the validator of a subschema for which `needsVerdict` is true. */
  verdictOf: (node: SchemaNode) => ValidateFunction;
  takeSteps: (steps: number) => void;
  regexBudget: () => RegexBudget;
  checkRegex: () => void;
  /** False: stop at the first error. */
  allErrors: boolean;
}

export function hasUnevaluated(node: SchemaNode): boolean {
  return node.children.some(({ keyword }) => UNEVALUATED_KEYWORDS.includes(keyword));
}

export function isUnevaluated(keyword: string): boolean {
  return UNEVALUATED_KEYWORDS.includes(keyword);
}

/** Whether the check needs a separate verdict on this child. */
export function needsVerdict({ keyword, node }: SchemaChild): boolean {
  if (typeof node.schema === 'boolean') return false;
  return DECIDING_KEYWORDS.includes(keyword) || isUnevaluated(keyword);
}

/** Members or items that a schema evaluated. */
interface Evaluated {
  all: boolean;
  keys: Set<string | number>;
}

/**
 * Creates the check of the `unevaluated…` keywords of one node. It sets `errors` with full instance
 * paths. Recursion ends because `checkBranches` limits the branches of a schema.
 */
export function unevaluatedCheck(node: SchemaNode, deps: UnevaluatedDeps): DataValidateFunction {
  const checker = new UnevaluatedChecker(node, deps);
  const check: DataValidateFunction = (data: unknown, cxt?: DataValidationCxt) => {
    const errors = checker.check(data, cxt?.instancePath ?? '');
    check.errors = errors;
    return errors.length === 0;
  };
  return check;
}

class UnevaluatedChecker {
  private readonly node: SchemaNode;
  private readonly deps: UnevaluatedDeps;

  constructor(node: SchemaNode, deps: UnevaluatedDeps) {
    this.node = node;
    this.deps = deps;
  }

  check(data: unknown, path: string): ErrorObject[] {
    if (typeof data !== 'object' || data === null) return [];
    const keyword = Array.isArray(data) ? 'unevaluatedItems' : 'unevaluatedProperties';
    const child = this.node.children.find((each) => each.keyword === keyword);
    if (child === undefined || child.node.schema === true) return [];
    const seen: Evaluated = { all: false, keys: new Set() };
    this.collect(this.node, data, seen, child);
    const errors: ErrorObject[] = [];
    for (const key of keysOf(data)) {
      this.deps.takeSteps(1);
      if (seen.all || seen.keys.has(key)) continue;
      errors.push(...this.checkPart(child.node, data, key, path));
      const enough = this.deps.allErrors ? limits.fieldErrorsMax : 1;
      if (errors.length >= enough) break;
    }
    return errors;
  }

  private checkPart(
    node: SchemaNode,
    data: object,
    key: string | number,
    path: string,
  ): ErrorObject[] {
    const instancePath = childPointer(path, key);
    if (node.schema === false) return [unevaluatedError(key, path, instancePath)];
    const verdict = this.deps.verdictOf(node);
    if (verdict((data as Record<string | number, unknown>)[key])) return [];
    const errors = verdict.errors ?? [];
    return errors.map((error) => {
      return { ...error, instancePath: instancePath + error.instancePath };
    });
  }

  /** @param except the keyword being checked, which does not count for itself */
  private collect(node: SchemaNode, data: object, seen: Evaluated, except?: SchemaChild): void {
    if (seen.all || typeof node.schema === 'boolean') return;
    this.deps.takeSteps(1);
    for (const { target } of node.references) this.collect(target, data, seen);
    const condition = node.children.find(({ keyword }) => keyword === 'if');
    const branch = condition && (this.isValid(condition.node, data) ? 'then' : 'else');
    for (const child of node.children) {
      if (child === except) continue;
      if (child.applies === 'here') {
        if (this.counts(child, data, branch)) this.collect(child.node, data, seen);
      } else if (Array.isArray(data)) {
        this.collectItems(child, data, seen);
      } else {
        this.collectMembers(child, data, seen);
      }
    }
  }

  /**
   * Whether the annotations of a subschema count: it applies to the same value, which is valid
   * under it.
   */
  private counts(child: SchemaChild, data: object, branch: string | undefined): boolean {
    switch (child.keyword) {
      case 'allOf':
        return true;
      case 'anyOf':
      case 'oneOf':
        return this.isValid(child.node, data);
      case 'if':
        return branch === 'then';
      case 'then':
      case 'else':
        return branch === child.keyword;
      case 'dependentSchemas':
        return !Array.isArray(data) && Object.hasOwn(data, String(child.key));
      default:
        return false;
    }
  }

  private collectMembers(child: SchemaChild, data: object, seen: Evaluated): void {
    switch (child.keyword) {
      case 'properties':
        if (Object.hasOwn(data, String(child.key))) seen.keys.add(String(child.key));
        break;
      case 'patternProperties':
        this.collectMatching(String(child.key), data, seen);
        break;
      case 'additionalProperties':
      case 'unevaluatedProperties':
        seen.all = true;
        break;
      default:
    }
  }

  private collectMatching(pattern: string, data: object, seen: Evaluated): void {
    const regex = this.patternOf(pattern);
    for (const key of Object.keys(data)) {
      this.deps.takeSteps(1);
      if (regex.test(key, this.deps.regexBudget())) seen.keys.add(key);
      this.deps.checkRegex();
    }
  }

  private readonly patterns = new Map<string, ReturnType<typeof compilePattern>>();

  private patternOf(pattern: string): ReturnType<typeof compilePattern> {
    let regex = this.patterns.get(pattern);
    if (regex === undefined) this.patterns.set(pattern, (regex = compilePattern(pattern)));
    return regex;
  }

  private collectItems(child: SchemaChild, data: unknown[], seen: Evaluated): void {
    switch (child.keyword) {
      case 'prefixItems':
        seen.keys.add(Number(child.key));
        break;
      case 'items':
      case 'unevaluatedItems':
        seen.all = true;
        break;
      case 'contains':
        data.forEach((item, index) => {
          this.deps.takeSteps(1);
          if (this.isValid(child.node, item)) seen.keys.add(index);
        });
        break;
      default:
    }
  }

  private isValid(node: SchemaNode, data: unknown): boolean {
    if (typeof node.schema === 'boolean') return node.schema;
    return this.deps.verdictOf(node)(data);
  }
}

function keysOf(data: object): Iterable<string | number> {
  return Array.isArray(data) ? data.keys() : Object.keys(data);
}

function unevaluatedError(key: string | number, path: string, instancePath: string): ErrorObject {
  const base = { schemaPath: '', message: 'is not allowed' };
  return typeof key === 'number'
    ? { ...base, keyword: 'false schema', instancePath, params: {} }
    : {
        ...base,
        keyword: 'unevaluatedProperties',
        instancePath: path,
        params: { unevaluatedProperty: key },
      };
}
