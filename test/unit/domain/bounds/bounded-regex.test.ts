import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { RE2JS } from 're2js';
import { compileBoundedRegex, newRegexBudget } from '#domain/bounds/bounded-regex.ts';
import { limits } from '#domain/limits.ts';

const piece = fc.constantFrom(
  'a',
  'b',
  'é',
  '\u{1F600}',
  '\uD83D',
  '\n',
  '\\.',
  '\\_',
  '\\$',
  '.',
  '-',
);
const pattern = fc
  .tuple(
    fc.constantFrom('', '^', '.*', '^.*'),
    fc.array(piece, { maxLength: 4 }),
    fc.constantFrom('', '$', '.*', '.*$'),
  )
  .map(([head, middle, tail]) => head + middle.join('') + tail);
const text = fc
  .array(fc.constantFrom('a', 'b', 'é', '\u{1F600}', '\uDE00', '\n', '.', '_', '$', '-'), {
    maxLength: 6,
  })
  .map((parts) => parts.join(''));

test('plain-text searches give the answers of RE2', () => {
  let plain = 0;
  fc.assert(
    fc.property(pattern, text, fc.boolean(), fc.boolean(), (pattern, text, multiline, dotAll) => {
      const ours = compileBoundedRegex(pattern, { multiline, dotAll });
      const flags = (multiline ? RE2JS.MULTILINE : 0) | (dotAll ? RE2JS.DOTALL : 0);
      if (ours.instructions === 1) plain++;
      assert.equal(
        ours.test(text, newRegexBudget()),
        RE2JS.compile(pattern, flags).test(text),
        JSON.stringify({ pattern, text, multiline, dotAll }),
      );
    }),
    { numRuns: 5000 },
  );
  assert.ok(plain > 500, String(plain));
});

test('case is ignored on request, in plain text too', () => {
  const regex = compileBoundedRegex('^grün', { ignoreCase: true });
  assert.equal(regex.test('GRÜNER', newRegexBudget()), true);
  assert.equal(compileBoundedRegex('^grün').test('GRÜN', newRegexBudget()), false);
});

test('rejects a program over the bound with its size', () => {
  assert.throws(() => compileBoundedRegex('(?:[ab]{900}){3}'), /too large|repetition|repeat/);
  assert.throws(() => compileBoundedRegex('.{900}.{900}.{900}'), /instructions, 2000 are allowed/);
});

test('steps reduce the budget, and nothing matches once it is used up', () => {
  const regex = compileBoundedRegex('[ab]+c');
  const budget = newRegexBudget();
  assert.equal(regex.test('abc', budget), true);
  assert.equal(budget.stepsLeft, limits.regexStepsMax - 4 * regex.instructions);
  budget.stepsLeft = 4 * regex.instructions - 1;
  assert.equal(regex.test('abc', budget), false);
});
