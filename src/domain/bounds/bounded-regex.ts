import { RE2JS, RE2Set } from 're2js';
import { limits } from '../limits.ts';

/**
 * Regular expressions from users, in the syntax and with the semantics of RE2
 * (https://github.com/google/re2/wiki/Syntax): no backtracking, so the time grows with the length of the
 * text and the size of the expression and never faster. That product has a bound too: whoever evaluates
 * gives a budget, as a linear engine with 2,000 states over megabytes still takes seconds.
 */
export interface BoundedRegex {
  /** Instructions of the compiled program; what one character of text may cost. */
  readonly instructions: number;
  /** False, too, where the budget does not suffice for a text of this length. */
  test(text: string, budget: RegexBudget): boolean;
}

/** What is left for one evaluation, in instructions times characters. */
export interface RegexBudget {
  stepsLeft: number;
}

/** What one evaluation may take in all. */
export function newRegexBudget(): RegexBudget {
  return { stepsLeft: limits.regexStepsMax };
}

export interface RegexFlags {
  ignoreCase?: boolean;
  multiline?: boolean;
  dotAll?: boolean;
}

/** @throws Error whose message says what is wrong with the pattern */
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
  // A set of one, as only a set takes a bound for the memory of its automaton (else 8 MB each). A small
  // program gets little: it is fast enough without the automaton.
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

/** `^` or a needless `.*`, plain characters and escaped punctuation, `$` or a needless `.*`. */
const PLAIN = /^(\^|(?:\.\*)?)((?:[^\\^$.*+?()[\]{}|]|\\[!-/:-@[-`{-~])*)(\$|(?:\.\*)?)$/;

/**
 * A regex that is only a literal with or without anchors is a search for a piece of text, which the
 * runtime does a hundred times faster. Not with `i` (case folding), not with `m` and an anchor, and not
 * with half a surrogate pair in it: those mean something else than the search does.
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
