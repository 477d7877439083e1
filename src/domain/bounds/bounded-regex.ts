import { RE2JS, RE2Set } from 're2js';
import { limits } from '../limits.ts';

/**
 * Regular expressions from users, with the syntax and semantics of RE2
 * (https://github.com/google/re2/wiki/Syntax). Without backtracking, the time grows at most with
 * the length of the text times the size of the expression. That product is bounded too, by the
 * caller's budget: even a linear engine takes seconds for 2,000 states over megabytes.
 */
export interface BoundedRegex {
  /** Instructions of the compiled program: the most work for one character of text. */
  readonly instructions: number;
  /** Also false if the budget does not suffice for a text of this length. */
  test(text: string, budget: RegexBudget): boolean;
}

/** The remaining work of one evaluation, in instructions times characters. */
export interface RegexBudget {
  stepsLeft: number;
}

/** The budget of one evaluation: the full one unless there are fewer steps. */
export function newRegexBudget(steps: number = limits.regexStepsMax): RegexBudget {
  return { stepsLeft: Math.min(steps, limits.regexStepsMax) };
}

export interface RegexFlags {
  ignoreCase?: boolean;
  multiline?: boolean;
  dotAll?: boolean;
}

/** @throws Error with a message that describes the fault of the pattern */
export function compileBoundedRegex(pattern: string, flags: RegexFlags = {}): BoundedRegex {
  const plain = compilePlain(pattern, flags);
  if (plain !== undefined) return { instructions: 1, test: plain };
  const bits =
    (flags.ignoreCase === true ? RE2JS.CASE_INSENSITIVE : 0) |
    (flags.multiline === true ? RE2JS.MULTILINE : 0) |
    (flags.dotAll === true ? RE2JS.DOTALL : 0);
  const instructions = RE2JS.compile(pattern, bits).programSize();
  if (instructions > limits.regexInstructionsMax) {
    throw new Error(
      `is too large: it compiles to ${instructions} instructions, ${limits.regexInstructionsMax} are allowed`,
    );
  }
  // A set of one, as only a set accepts a bound on its automaton's memory (otherwise 8 MB each). A
  // small program gets little memory: it is fast enough without the automaton.
  const memory = Math.min(limits.regexMemoryBytesMax, (instructions + 8) * 1024);
  const set = new RE2Set(RE2Set.UNANCHORED, bits, memory);
  set.add(pattern);
  set.compile();
  return {
    instructions,
    test(text, budget) {
      budget.stepsLeft -= instructions * (text.length + 1);
      return budget.stepsLeft >= 0 && set.match(text).length > 0;
    },
  };
}

/** `^` or a redundant `.*`, plain characters and escaped punctuation, `$` or a redundant `.*`. */
const PLAIN = /^(\^|(?:\.\*)?)((?:[^\\^$.*+?()[\]{}|]|\\[!-/:-@[-`{-~])*)(\$|(?:\.\*)?)$/;

/**
 * Compiles a regex that is a literal, with or without anchors, to a string search, which is a
 * hundred times faster. Not for `i` (case folding), `m` with an anchor, or half a surrogate pair: a
 * search would match differently.
 */
function compilePlain(pattern: string, flags: RegexFlags): ((text: string) => boolean) | undefined {
  const parts = PLAIN.exec(pattern);
  if (parts === null || flags.ignoreCase === true || !pattern.isWellFormed()) return undefined;
  const atStart = parts[1] === '^';
  const atEnd = parts[3] === '$';
  if (flags.multiline === true && (atStart || atEnd)) return undefined;
  const literal = (parts[2] ?? '').replaceAll(/\\(.)/gs, '$1');
  if (atStart && atEnd) return (text) => text === literal;
  if (atStart) return (text) => text.startsWith(literal);
  if (atEnd) return (text) => text.endsWith(literal);
  return (text) => text.includes(literal);
}
