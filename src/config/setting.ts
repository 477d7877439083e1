import { type TNumberOptions, type TStringOptions, Type } from 'typebox';

/**
 * Options of a setting in addition to its type. A `secret` may come from a file and is never
 * printed.
 */
export type SettingOptions = {
  description: string;
  secret?: boolean;
  default?: string | number;
  pattern?: string;
  minLength?: number;
  minimum?: number;
  maximum?: number;
};

type Described = { description: string };

/** A required text. */
export const text = (options: TStringOptions & Described) => Type.String(options);
/** An optional text. Its description says which behaviour applies without it. */
export const optionalText = (options: TStringOptions & Described & { secret?: boolean }) =>
  Type.Optional(Type.String(options));
/** A whole number with a default and both bounds. */
export const integer = (
  options: TNumberOptions & Described & { default: number; minimum: number; maximum: number },
) => Type.Integer(options);
/** An optional whole number. Its description says which behaviour applies without it. */
export const optionalInteger = (
  options: TNumberOptions & Described & { minimum: number; maximum: number },
) => Type.Optional(Type.Integer(options));
