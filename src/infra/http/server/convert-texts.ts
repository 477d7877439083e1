import type { ValidateFunction } from 'ajv';

type Texts = Record<string, unknown>;
type Convert = (text: unknown) => unknown;
interface FieldSchema {
  type?: string;
  items?: FieldSchema;
}

/** By JSON type. A text that has not this form stays a text, which the schema then rejects. */
const conversions: Readonly<Record<string, Convert>> = {
  integer: (text) => (typeof text === 'string' && /^-?\d{1,15}$/.test(text) ? Number(text) : text),
  boolean: (text) => (text === 'true' || text === 'false' ? text === 'true' : text),
};

/**
 * A field of an array may be repeated. Given once, it is one text.
 *
 * @returns undefined if the field stays a text
 * @throws Error for a type that no text can have
 */
function conversionOf(name: string, { type, items = {} }: FieldSchema): Convert | undefined {
  if (type === undefined || type === 'string') return undefined;
  if (type === 'array') {
    const ofItem = conversionOf(name, items) ?? ((text) => text);
    return (texts) => (Array.isArray(texts) ? texts : [texts]).map((text) => ofItem(text));
  }
  const convert = conversions[type];
  if (convert === undefined) throw new Error(`the field ${name} cannot have the type ${type}`);
  return convert;
}

/**
 * Converts the fields of a path, a query or headers to the types of their schema, then validates
 * them. An integer has decimal digits only, a boolean is `true` or `false`, and a field that may be
 * repeated becomes an array.
 *
 * @throws Error for a schema with a field of another type, which no text can have
 */
export function withConvertedTexts(schema: object, validate: ValidateFunction): ValidateFunction {
  const { properties = {} } = schema as { properties?: Record<string, FieldSchema> };
  const converted = new Map<string, Convert>();
  for (const [name, field] of Object.entries(properties)) {
    const convert = conversionOf(name, field);
    if (convert !== undefined) converted.set(name, convert);
  }
  if (converted.size === 0) return validate;
  const converting = (texts: Texts): boolean => {
    for (const [name, convert] of converted) {
      const text = texts[name];
      if (text !== undefined) texts[name] = convert(text);
    }
    return validate(texts);
  };
  // Fastify reads the errors of the function that it called.
  return Object.defineProperty(converting, 'errors', {
    get: () => validate.errors,
  }) as ValidateFunction;
}
