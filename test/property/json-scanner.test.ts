import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { JsonFault } from '#domain/json/json-fault.ts';
import { type JsonNode, LEAF, type Wanted } from '#domain/json/json-outline.ts';
import { JsonScanner } from '#domain/json/json-scanner.ts';
import { scanJson } from '#domain/json/scan-json.ts';

/** JSON with random white space and spellings: a text and its value. */
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

const CHILDREN: Wanted = { each: LEAF };
const scan = (text: string, wanted?: Wanted): JsonNode => scanJson(Buffer.from(text), wanted);

/** The text of each recorded child. */
function textsOf(text: string, { children }: JsonNode): string[] {
  const bytes = Buffer.from(text);
  return [...children.values()].map(({ start, end }) => bytes.toString('utf8', start, end));
}

function isAccepted(read: () => unknown): boolean {
  try {
    read();
    return true;
  } catch {
    return false;
  }
}

// The generated value is the oracle, not JSON.parse: Node 24.21 confuses names that consist of one
// escape, like "\\"" and "\\\\", in some objects.
test('the scanner finds the names and the texts of members as they were written', () => {
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
        const outline = scan(text, CHILDREN);
        const names = members.map(([name]) => JSON.parse(name) as string);
        assert.deepEqual([...outline.children.keys()], names);
        assert.deepEqual(
          textsOf(text, outline),
          members.map(([, item]) => item.text),
        );
        assert.deepEqual(
          [...outline.children.values()].map(({ depth }) => depth),
          members.map(([, item]) => item.depth),
        );
      },
    ),
    { numRuns: 500 },
  );
});

test('the scanner reports a repeated name in any spelling', () => {
  fc.assert(
    fc.property(stringLiteral, value, value, (name, one, two) => {
      const again = escaped(JSON.parse(name) as string);
      const text = `{${name}:${one.text},"${again}":${two.text}}`;
      assert.equal(scan(text, CHILDREN).repeated, JSON.parse(name));
    }),
  );
});

test('the scanner finds the texts of elements', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(value, space, space)), (items) => {
      const text = `[${items.map(([item, a, b]) => a + item.text + b).join(',')}]`;
      const outline = scan(text, CHILDREN);
      assert.deepEqual(
        textsOf(text, outline),
        items.map(([item]) => item.text),
      );
      assert.equal(outline.count, items.length);
    }),
  );
});

test('the scanner counts levels of brackets and braces and not those in strings', () => {
  fc.assert(
    fc.property(value, space, ({ text, depth }, around) => {
      assert.equal(scan(`${around}${text}${around}`).depth, depth);
    }),
  );
});

test('the scanner accepts what JSON.parse accepts when one byte is changed', () => {
  const byte = fc.constantFrom(
    ...Array.from('{}[]:,"\\\\ \n\t\r\u0000\u001f/01-+.eEtrufalsnbx\ufeff\u00a0'),
  );
  fc.assert(
    fc.property(value, fc.nat(), byte, fc.constantFrom(0, 1), ({ text }, where, put, removed) => {
      const at = where % (text.length + 1);
      const mutant = text.slice(0, at) + put + text.slice(at + removed);
      fc.pre(mutant.isWellFormed());
      assert.equal(
        isAccepted(() => scan(mutant, CHILDREN)),
        isAccepted(() => JSON.parse(mutant)),
        mutant,
      );
    }),
    { numRuns: 5000 },
  );
});

test('the scanner finds the same when it pauses after any number of bytes', () => {
  fc.assert(
    fc.property(value, fc.integer({ min: 1, max: 9 }), ({ text }, length) => {
      const wanted: Wanted = { each: CHILDREN };
      const scanner = new JsonScanner(Buffer.from(text), wanted);
      while (!scanner.read(length));
      assert.deepEqual(scanner.outline, scan(text, wanted));
    }),
  );
});

test('the scanner reports the same fault when it pauses after any number of bytes', () => {
  fc.assert(
    fc.property(value, fc.nat(), fc.integer({ min: 1, max: 9 }), ({ text }, where, length) => {
      const bytes = Buffer.from(text.slice(0, where % (text.length + 1)));
      const faultOf = (step: number): string | undefined => {
        const scanner = new JsonScanner(bytes, CHILDREN);
        try {
          while (!scanner.read(step));
          return undefined;
        } catch (error) {
          assert.ok(error instanceof JsonFault);
          return `${error.pointer} ${error.message}`;
        }
      };
      assert.equal(faultOf(length), faultOf(bytes.length + 1));
    }),
  );
});

test('the scanner treats names that objects inherit like other names', () => {
  const text = '{"__proto__":1,"constructor":2,"toString":3}';
  assert.deepEqual(
    [...scan(text, CHILDREN).children.keys()],
    ['__proto__', 'constructor', 'toString'],
  );
});

test('the scanner distinguishes arrays from objects at every depth up to the bound', () => {
  const nested = (kinds: readonly boolean[]): string => {
    const open = kinds.map((isObject) => (isObject ? '{"a":' : '['));
    const close = kinds.toReversed().map((isObject) => (isObject ? '}' : ']'));
    return `${open.join('')}1${close.join('')}`;
  };
  fc.assert(
    fc.property(fc.array(fc.boolean(), { minLength: 60, maxLength: 256 }), (kinds) => {
      assert.equal(scanJson(Buffer.from(nested(kinds))).depth, kinds.length);
      const wrong = nested(kinds).slice(0, -1) + (kinds[0] === true ? ']' : '}');
      assert.throws(() => scanJson(Buffer.from(wrong)), JsonFault);
    }),
  );
});
