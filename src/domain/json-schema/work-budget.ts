import { newRegexBudget, type RegexBudget } from '../bounds/bounded-regex.ts';

/** Thrown inside the validator when the budget is used up; caught in `compileSchema`. */
export class WorkExceeded extends Error {}

/** The remaining work of one validation; the validator's callbacks use it. */
export class WorkBudget {
  private stepsLeft = 0;
  private regex: RegexBudget = newRegexBudget();

  renew(steps: number, regexSteps: number): void {
    this.stepsLeft = steps;
    this.regex = newRegexBudget(regexSteps);
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

  /** @throws WorkExceeded if the last test was skipped for lack of budget */
  checkRegex(): void {
    if (this.regex.stepsLeft < 0) throw new WorkExceeded();
  }
}
