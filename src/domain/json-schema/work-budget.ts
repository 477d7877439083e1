import { newRegexBudget, type RegexBudget } from '../bounds/bounded-regex.ts';

/** Thrown inside the validator when a check costs more than it may; caught in `compileSchema`. */
export class WorkExceeded extends Error {}

/** What one validation may still do. Renewed for each; the validator's callbacks draw on it. */
export class WorkBudget {
  private stepsLeft = 0;
  private regex: RegexBudget = newRegexBudget();

  renew(steps: number): void {
    this.stepsLeft = steps;
    this.regex = newRegexBudget();
  }

  /** @throws WorkExceeded */
  take(steps: number): void {
    this.stepsLeft -= steps;
    if (this.stepsLeft < 0) throw new WorkExceeded();
  }

  /** For `BoundedRegex.test`; call `checkRegex` after it. */
  get regexBudget(): RegexBudget {
    return this.regex;
  }

  /** @throws WorkExceeded where the last test was not made for want of steps */
  checkRegex(): void {
    if (this.regex.stepsLeft < 0) throw new WorkExceeded();
  }
}
