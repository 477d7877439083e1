import { type TNumberOptions, type TStringOptions, Type } from 'typebox';

/** What stands beside a setting's type. `secret`: may come from a file, is never printed. */
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

/** Text that is always there. */
export const text = (options: TStringOptions & Described) => Type.String(options);
/** Text that may be absent; its description says what holds then. */
export const optionalText = (options: TStringOptions & Described & { secret?: boolean }) =>
  Type.Optional(Type.String(options));
/** A whole number with a default and both bounds. */
export const integer = (
  options: TNumberOptions & Described & { default: number; minimum: number; maximum: number },
) => Type.Integer(options);
