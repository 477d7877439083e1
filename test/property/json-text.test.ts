import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { depthOf, elementSpans, memberSpans, skipSpace } from '#src/ingress/json-text.ts';

/** JSON with random white space and spellings: a text and the value that it stands for. */
interface Written {
  text: string;
  depth: number;
}

const space = fc.stringMatching(/^[ \n\r\t]{0,3}$/);

function escaped(text: string): string {
  let out = '';
  for (let i = 0; i < text.length; i++) {
    out += `\\u${text.charCodeAt(i).toString(16).padStart(4, '0')}`;
  }
  return out;
}

/** A string literal in which any character may be written as an escape. */
const stringLiteral: fc.Arbitrary<string> = fc
  .array(fc.tuple(fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }), fc.boolean()), {
    maxLength: 8,
  })
  .map((characters) => {
    const written = characters.map(([character, escape]) =>
      escape ? escaped(character) : JSON.stringify(character).slice(1, -1),
    );
    return `"${written.join('')}"`;
  });

const tricky = fc.constantFrom(
  '"\\\\"',
  '"\\""',
  '"}"',
  '"]"',
  '"a,b"',
  '"\\\\\\""',
  '""',
  '"{[:"',
);
const scalar: fc.Arbitrary<Written> = fc
  .oneof(
    stringLiteral,
    tricky,
    fc.constantFrom('null', 'true', 'false', '0', '-0', '1e400', '12345678901234567890', '-1.5E-3'),
  )
  .map((text) => ({ text, depth: 0 }));

const { value } = fc.letrec<{ value: Written; array: Written; object: Written }>((tie) => ({
  value: fc.oneof({ maxDepth: 5, withCrossShrink: true }, scalar, tie('array'), tie('object')),
  array: fc
    .tuple(space, fc.array(fc.tuple(tie('value'), space, space), { maxLength: 4 }))
    .map(([inner, items]) => ({
      text: `[${inner}${items.map(([item, a, b]) => a + item.text + b).join(',')}]`,
      depth: 1 + Math.max(0, ...items.map(([item]) => item.depth)),
    })),
  object: fc
    .tuple(
      space,
      fc.uniqueArray(fc.tuple(fc.oneof(stringLiteral, tricky), tie('value'), space, space, space), {
        maxLength: 4,
        selector: ([name]) => JSON.parse(name) as string,
      }),
    )
    .map(([inner, members]) => ({
      text: `{${inner}${members
        .map(([name, item, a, b, c]) => `${a}${name}${b}:${c}${item.text}${a}`)
        .join(',')}}`,
      depth: 1 + Math.max(0, ...members.map(([, item]) => item.depth)),
    })),
}));

// What was written is the oracle, not what JSON.parse makes of the whole: Node 24.21 mistakes names that are
// an escape alone, like "\\"" and "\\\\", for one another in some objects.
test('the spans of members are the names and the texts that were written', () => {
  fc.assert(
    fc.property(
      space,
      fc.uniqueArray(fc.tuple(stringLiteral, value, space, space), {
        maxLength: 6,
        selector: ([name]) => JSON.parse(name) as string,
      }),
      (before, members) => {
        const text = `${before}{${members
          .map(([name, item, a, b]) => `${a}${name}${b}:${a}${item.text}${b}`)
          .join(',')}}${before}`;
        const names = members.map(([name]) => JSON.parse(name) as string);
        const spans = memberSpans(text, skipSpace(text, 0));
        assert.ok(spans instanceof Map);
        assert.deepEqual([...spans.keys()], names);
        for (const [name, item] of members) {
          const key = JSON.parse(name) as string;
          const span = spans.get(key);
          assert.ok(span);
          assert.equal(text.slice(span.start, span.end), item.text);
        }
      },
    ),
    { numRuns: 500 },
  );
});

test('a name that stands twice is told, however it is spelt', () => {
  fc.assert(
    fc.property(stringLiteral, value, value, (name, one, two) => {
      const again = escaped(JSON.parse(name) as string);
      const text = `{${name}:${one.text},"${again}":${two.text}}`;
      assert.deepEqual(memberSpans(text, 0), { repeated: JSON.parse(name) });
    }),
  );
});

test('the spans of elements are the texts of the elements', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(value, space, space)), (items) => {
      const text = `[${items.map(([item, a, b]) => a + item.text + b).join(',')}]`;
      const spans = elementSpans(text, 0);
      assert.deepEqual(
        spans.map(({ start, end }) => text.slice(start, end)),
        items.map(([item]) => item.text),
      );
      assert.equal((JSON.parse(text) as unknown[]).length, spans.length);
    }),
  );
});

test('the depth counts brackets and braces, and not those in strings', () => {
  fc.assert(
    fc.property(value, space, ({ text, depth }, around) => {
      const padded = `${around}${text}${around}`;
      const start = around.length;
      assert.equal(depthOf(padded, { start, end: start + text.length }), depth);
    }),
  );
});

test('nesting of 100,000 levels is measured, not recursed into', () => {
  const text = `{"data":${'['.repeat(100_000)}${']'.repeat(100_000)}}`;
  const spans = memberSpans(text, 0);
  assert.ok(spans instanceof Map);
  const span = spans.get('data');
  assert.ok(span);
  assert.equal(depthOf(text, span), 100_000);
});

test('names that objects inherit are names like others', () => {
  const text = '{"__proto__":1,"constructor":2,"toString":3}';
  const spans = memberSpans(text, 0);
  assert.ok(spans instanceof Map);
  assert.deepEqual([...spans.keys()], ['__proto__', 'constructor', 'toString']);
});
