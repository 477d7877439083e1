/** A sleep that `wake` ends early. One sleep at a time. */
export class Sleeper {
  private end: (() => void) | undefined;

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.wake(), ms);
      timer.unref();
      this.end = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  wake(): void {
    const { end } = this;
    this.end = undefined;
    end?.();
  }
}
