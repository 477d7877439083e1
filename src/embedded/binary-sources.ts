import type { Program } from './program.ts';
import type { BinarySource } from './resolve-binary.ts';

export function binarySources(_program: Program): BinarySource[] {
  return [];
}
