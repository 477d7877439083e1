/** Which whole numbers from 0 were seen, a bit for each: a million events take 125 kB. */
export class SeenNumbers {
  private bits = new Uint8Array(1024);

  /** @returns false if the number was added before */
  add(n: number): boolean {
    const at = n >>> 3;
    if (at >= this.bits.length) {
      const larger = new Uint8Array(Math.max(at + 1, this.bits.length * 2));
      larger.set(this.bits);
      this.bits = larger;
    }
    const bit = 1 << (n & 7);
    const byte = this.bits[at] ?? 0;
    this.bits[at] = byte | bit;
    return (byte & bit) === 0;
  }
}
