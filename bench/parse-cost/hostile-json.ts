/** JSON texts of about a given size that cost a parser more than their size says. */
export type JsonShape = (bytes: number) => string;

const repeated = (text: string, bytes: number): string => {
  return Array(Math.max(1, Math.floor(bytes / (text.length + 1))))
    .fill(text)
    .join(',');
};

/** Texts of ever new parts, in front of which stands a comma from the second on. */
function numbered(bytes: number, part: (index: number) => string): string {
  const parts: string[] = [];
  for (let length = 0; length < bytes; length += (parts.at(-1) as string).length + 1) {
    parts.push(part(parts.length));
  }
  return parts.join(',');
}

const name = (index: number): string => index.toString(36);

/** What producers send: the measure of all others. */
export const ordinary: JsonShape = (bytes) =>
  `[${numbered(bytes, (index) =>
    JSON.stringify({
      id: `ord_${index}`,
      amount: index * 1.25,
      currency: 'EUR',
      customer: { name: 'Ada Lovelace', tier: 'gold', active: true },
      tags: ['a', 'b'],
      note: null,
    }),
  )}]`;

export const hostileJson: Readonly<Record<string, JsonShape>> = {
  'open arrays': (bytes) => '['.repeat(bytes),
  'open objects': (bytes) => '{"a":'.repeat(bytes / 5),
  'open and closed arrays': (bytes) => '['.repeat(bytes / 2) + ']'.repeat(bytes / 2),
  'arrays of 60 levels': (bytes) => `[${repeated('['.repeat(60) + ']'.repeat(60), bytes)}]`,
  'objects of 60 levels': (bytes) =>
    `[${repeated(`${'{"a":'.repeat(60)}1${'}'.repeat(60)}`, bytes)}]`,
  'empty arrays': (bytes) => `[${repeated('[]', bytes)}]`,
  'empty objects': (bytes) => `[${repeated('{}', bytes)}]`,
  'small numbers': (bytes) => `[${repeated('1', bytes)}]`,
  'small fractions': (bytes) => `[${repeated('1.5', bytes)}]`,
  exponents: (bytes) => `[${repeated('1e5', bytes)}]`,
  'smallest doubles': (bytes) => `[${repeated('4.9406564584124654e-324', bytes)}]`,
  'one number': (bytes) => '9'.repeat(bytes),
  'one string': (bytes) => `"${'a'.repeat(bytes)}"`,
  'one string of Chinese': (bytes) => `"${'中'.repeat(bytes / 3)}"`,
  'empty strings': (bytes) => `[${repeated('""', bytes)}]`,
  'different strings': (bytes) => `[${numbered(bytes, (index) => `"x${name(index)}"`)}]`,
  'escapes of one letter': (bytes) => `"${String.raw`\n`.repeat(bytes / 2)}"`,
  'escaped backslashes': (bytes) => `"${String.raw`\\`.repeat(bytes / 2)}"`,
  'unicode escapes': (bytes) => `"${String.raw`\u4e2d`.repeat(bytes / 6)}"`,
  'strings of one escape': (bytes) => `[${repeated(String.raw`"\u4e2d"`, bytes)}]`,
  'different names': (bytes) => `{${numbered(bytes, (index) => `"${name(index)}":1`)}}`,
  'names that are integers': (bytes) => `{${numbered(bytes, (index) => `"${index * 7919}":1`)}}`,
  'one name again and again': (bytes) => `{${repeated('"a":1', bytes)}}`,
  'objects of different names': (bytes) => `[${numbered(bytes, (i) => `{"${name(i)}":1}`)}]`,
  prototypes: (bytes) => `[${repeated('{"__proto__":{}}', bytes)}]`,
  'white space': (bytes) => `[${' '.repeat(bytes)}]`,
  'a fault at the end': (bytes) => `${ordinary(bytes)}x`,
};
