import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { newRegexBudget } from '#domain/bounds/bounded-regex.ts';
import { compilePattern } from '#domain/json-schema/keywords/pattern.ts';

const matches = (pattern: string, text: string): boolean =>
  compilePattern(pattern).test(text, newRegexBudget());

/** Pieces in which ECMA-262 and RE2 differ, or could; separated by spaces. */
const pieces = String.raw`\s \S [\s] [^\s] [\S] [^\S] [a\s-] [\S\d] . [.] \. \d \w \W \b \[ \] [\]\s] a \\ \/ (?:.|\s) ^ $`;
const piece = fc.constantFrom(...pieces.split(' '));
const characters =
  'a1 \t\n\v\f\r\u0085\u00a0\u1680\u180e\u2000\u200a\u200b\u2028\u2029\u202f\u205f\u3000\ufeff[]\\.-/é\u{1f600}';
const character = fc.constantFrom(...Array.from(characters));

test('a pattern matches the texts that the u-flagged expression of ECMA-262 matches', () => {
  fc.assert(
    fc.property(
      fc.array(piece, { minLength: 1, maxLength: 5 }),
      fc.array(character, { maxLength: 6 }),
      (chosen, letters) => {
        const pattern = chosen.join('');
        const text = letters.join('');
        let ecma: RegExp;
        try {
          ecma = new RegExp(pattern, 'u');
        } catch {
          return;
        }
        assert.equal(matches(pattern, text), ecma.test(text), JSON.stringify({ pattern, text }));
      },
    ),
    { numRuns: 5000 },
  );
});

test('a needless ".*" at either end does not change what matches', () => {
  for (const pattern of ['.*a', 'a.*', '.*a.*', '^a.*', '.*a$', '.*a|b', '.*']) {
    for (const text of ['a', '\ra', 'a\r', 'xa\u2028', 'b', '\n']) {
      assert.equal(matches(pattern, text), new RegExp(pattern, 'u').test(text), pattern + text);
    }
  }
});
