import type { ValidateFunction } from 'ajv';

type Texts = Record<string, unknown>;
type Convert = (text: string) => unknown;

/** By JSON type. A text that has not this form stays a text, which the schema then rejects. */
const conversions: Readonly<Record<string, Convert>> = {
  integer: (text) => (/^-?\d{1,15}$/.test(text) ? Number(text) : text),
  boolean: (text) => (text === 'true' || text === 'false' ? text === 'true' : text),
};

/**
 * Converts the fields of a path, a query or headers to the types of their schema, then validates
 * them. An integer has decimal digits only, and a boolean is `true` or `false`.
 *
 * @throws Error for a schema with a field of another type, which no text can have
 */
export function withConvertedTexts(schema: object, validate: ValidateFunction): ValidateFunction {
  const { properties = {} } = schema as { properties?: Record<string, { type?: string }> };
  const converted = new Map<string, Convert>();
  for (const [name, { type }] of Object.entries(properties)) {
    if (type === undefined || type === 'string') continue;
    const convert = conversions[type];
    if (convert === undefined) throw new Error(`the field ${name} cannot have the type ${type}`);
    converted.set(name, convert);
  }
  if (converted.size === 0) return validate;
  const converting = (texts: Texts): boolean => {
    for (const [name, convert] of converted) {
      const text = texts[name];
      if (typeof text === 'string') texts[name] = convert(text);
    }
    return validate(texts);
  };
  // Fastify reads the errors of the function that it called.
  return Object.defineProperty(converting, 'errors', {
    get: () => validate.errors,
  }) as ValidateFunction;
}
