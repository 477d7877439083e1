import { compileBoundedRegex } from '../bounds/bounded-regex.ts';
import type { FieldError } from '#domain/errors.ts';
import { childPointer } from '#domain/json-pointer.ts';
import { limits } from '#domain/limits.ts';
import { checkLiteral, checkOrderLiteral } from './check-literal.ts';
import { fieldOperators, isOperatorObject, isPlainObject, joinOperators } from './operators.ts';

/** Faults and used bounds of one validation. */
interface Check {
  errors: FieldError[];
  conditions: number;
  regexInstructions: number;
}

/**
 * Returns the faults of a content filter (RT-1); none if `compileFilter` accepts it. Pointers are
 * relative to the filter, so that the empty pointer means all of it. Stricter than MongoDB for
 * filters that could never match: names with `$` in a literal, and attributes that no event can
 * have.
 *
 * @param value any value from the caller
 */
export function validateFilter(value: unknown): FieldError[] {
  const check: Check = { errors: [], conditions: 0, regexInstructions: 0 };
  checkDocument(check, value, '', 0, true);
  if (check.errors.length > 0) return check.errors.slice(0, limits.fieldErrorsMax);
  // Only now: a value that passed is shallow and cannot overflow the stack.
  const bytes = Buffer.byteLength(JSON.stringify(value));
  if (bytes > limits.filterBytesMax) {
    fail(check, '', `has ${bytes} bytes of JSON; ${limits.filterBytesMax} are allowed`);
  }
  return check.errors;
}

function fail(check: Check, pointer: string, detail: string): void {
  check.errors.push({ pointer, detail });
}

/** False, with a fault, if the filter is too deep or too large to continue. */
function withinBounds(check: Check, pointer: string, depth: number): boolean {
  if (check.errors.length >= limits.fieldErrorsMax) return false;
  if (depth > limits.filterDepthMax) {
    fail(check, pointer, `is nested too deep; ${limits.filterDepthMax} levels are allowed`);
    return false;
  }
  return true;
}

/** False from the first condition over the bound; the fault is reported once. */
function countCondition(check: Check, pointer: string): boolean {
  check.conditions++;
  if (check.conditions === limits.filterNodesMax + 1) {
    fail(check, pointer, `is one condition too many; ${limits.filterNodesMax} are allowed`);
  }
  return check.conditions <= limits.filterNodesMax;
}

function checkDocument(
  check: Check,
  value: unknown,
  pointer: string,
  depth: number,
  isEvent: boolean,
): void {
  if (!withinBounds(check, pointer, depth)) return;
  if (!isPlainObject(value)) {
    fail(check, pointer, 'must be an object, like {"data.amount": {"$gt": 100}}');
    return;
  }
  for (const key of Object.keys(value)) {
    const at = childPointer(pointer, key);
    if (!countCondition(check, at)) return;
    if (key.startsWith('$')) checkJoin(check, key, value[key], at, depth, isEvent);
    else if (checkPath(check, key, at, isEvent)) checkCondition(check, value[key], at, depth);
  }
}

function checkJoin(
  check: Check,
  operator: string,
  value: unknown,
  pointer: string,
  depth: number,
  isEvent: boolean,
): void {
  if (!(joinOperators as readonly string[]).includes(operator)) {
    const hint = (fieldOperators as readonly string[]).includes(operator)
      ? 'stands on a field, like {"data.amount": {"$gt": 100}}; here'
      : 'is not an operator that filters have; here';
    fail(check, pointer, `${hint} are allowed: field names, ${joinOperators.join(', ')}`);
  } else if (!Array.isArray(value) || value.length === 0) {
    fail(check, pointer, 'must be a list of at least one filter');
  } else if (value.length > limits.filterListMax) {
    fail(check, pointer, `has ${value.length} entries; ${limits.filterListMax} are allowed`);
  } else {
    value.forEach((part, i) =>
      checkDocument(check, part, childPointer(pointer, i), depth + 1, isEvent),
    );
  }
}

/** CloudEvents 1.0, "naming conventions": attributes are lower-case letters and digits. */
const ATTRIBUTE = /^[a-z0-9]+$/;

function checkPath(check: Check, path: string, pointer: string, isEvent: boolean): boolean {
  const segments = path.split('.', limits.filterPathSegmentsMax + 1);
  const [root = ''] = segments;
  if (segments.includes('')) {
    fail(check, pointer, 'is not a path: names are separated by single dots');
  } else if (segments.length > limits.filterPathSegmentsMax) {
    fail(check, pointer, `has too many names; ${limits.filterPathSegmentsMax} are allowed`);
  } else if (isEvent && !ATTRIBUTE.test(root)) {
    fail(
      check,
      pointer,
      `is not a field of events: they have id, type, source, time, subject, data and extension ` +
        `attributes in lower case; a path into the payload starts with "data."`,
    );
  } else {
    return true;
  }
  return false;
}

function checkCondition(check: Check, value: unknown, pointer: string, depth: number): void {
  if (isPlainObject(value) && Object.keys(value).some((key) => key.startsWith('$'))) {
    checkOperators(check, value, pointer, depth + 1);
  } else {
    check.errors.push(...checkLiteral(value, pointer));
  }
}

function checkOperators(
  check: Check,
  operators: Record<string, unknown>,
  pointer: string,
  depth: number,
): void {
  if (!withinBounds(check, pointer, depth)) return;
  for (const operator of Object.keys(operators)) {
    const at = childPointer(pointer, operator);
    if (!countCondition(check, at)) return;
    checkOperator(check, operator, operators, at, depth);
  }
}

function checkOperator(
  check: Check,
  operator: string,
  operators: Record<string, unknown>,
  pointer: string,
  depth: number,
): void {
  const operand = operators[operator];
  switch (operator) {
    case '$eq':
    case '$ne':
      check.errors.push(...checkLiteral(operand, pointer));
      break;
    case '$gt':
    case '$gte':
    case '$lt':
    case '$lte':
      check.errors.push(...checkOrderLiteral(operand, pointer));
      break;
    case '$in':
    case '$nin':
      checkList(check, operand, pointer);
      break;
    case '$exists':
      if (typeof operand !== 'boolean') fail(check, pointer, 'must be true or false');
      break;
    case '$regex':
      checkRegex(check, operand, operators['$options'], pointer);
      break;
    case '$options':
      checkOptions(check, operand, operators['$regex'], pointer);
      break;
    case '$not':
      if (isOperatorObject(operand)) checkOperators(check, operand, pointer, depth + 1);
      else fail(check, pointer, 'must be an object of operators, like {"$gt": 100}');
      break;
    case '$elemMatch':
      checkElemMatch(check, operand, pointer, depth);
      break;
    default:
      fail(
        check,
        pointer,
        `is not an operator; on a field are allowed: ${fieldOperators.join(', ')}`,
      );
  }
}

function checkElemMatch(check: Check, operand: unknown, pointer: string, depth: number): void {
  if (isOperatorObject(operand)) checkOperators(check, operand, pointer, depth + 1);
  else checkDocument(check, operand, pointer, depth + 1, false);
}

function checkList(check: Check, operand: unknown, pointer: string): void {
  if (!Array.isArray(operand)) {
    fail(check, pointer, 'must be a list of values');
  } else if (operand.length > limits.filterListMax) {
    fail(check, pointer, `has ${operand.length} values; ${limits.filterListMax} are allowed`);
  } else {
    operand.forEach((item, i) =>
      check.errors.push(...checkLiteral(item, childPointer(pointer, i))),
    );
  }
}

function checkRegex(check: Check, pattern: unknown, options: unknown, pointer: string): void {
  if (typeof pattern !== 'string' || pattern.length > limits.filterRegexLengthMax) {
    fail(check, pointer, `must be a string of at most ${limits.filterRegexLengthMax} characters`);
    return;
  }
  // Compile no more patterns once the sum is over its bound.
  if (check.regexInstructions > limits.regexInstructionsMax) return;
  const flags = typeof options === 'string' ? options : '';
  try {
    const regex = compileBoundedRegex(pattern, {
      ignoreCase: flags.includes('i'),
      multiline: flags.includes('m'),
      dotAll: flags.includes('s'),
    });
    check.regexInstructions += regex.instructions;
    if (check.regexInstructions <= limits.regexInstructionsMax) return;
    fail(
      check,
      pointer,
      'exceeds, with the others of the filter, the size limit of regular expressions',
    );
  } catch (error) {
    check.regexInstructions += limits.regexInstructionsMax / 4;
    fail(check, pointer, `is not a regular expression of RE2: ${(error as Error).message}`);
  }
}

function checkOptions(check: Check, options: unknown, regex: unknown, pointer: string): void {
  if (regex === undefined) fail(check, pointer, 'is allowed only with $regex');
  if (typeof options !== 'string' || !/^[ims]{0,3}$/.test(options)) {
    fail(check, pointer, 'must be a string of the letters i, m and s');
  }
}
