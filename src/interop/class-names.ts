/** The names that users of other libraries look for, from those of the registry. */

/** Where capitals are not at the hyphens. */
const spelled = {
  sgd: "SGD",
  adamw: "AdamW",
  signsgd: "SignSGD",
  lmd: "LMD",
  "lns-madam": "LNSMadam",
} as const;

type Capitals<Name extends string> = Name extends `${infer First}-${infer Rest}`
  ? `${Capitalize<First>}${Capitals<Rest>}`
  : Capitalize<Name>;

/** `IntegerMadam` for `integer-madam`. */
export type ClassName<Name extends string> = Name extends keyof typeof spelled
  ? (typeof spelled)[Name]
  : Capitals<Name>;

/** `integerMadam` for `integer-madam`. */
export type FunctionName<Name extends string> = Uncapitalize<Capitals<Name>>;

const capital = (word: string): string => word.slice(0, 1).toUpperCase() + word.slice(1);

/** The name as a class. */
export const classNameOf = (name: string): string =>
  (spelled as Readonly<Record<string, string>>)[name] ?? name.split("-").map(capital).join("");

/** The name as a function. */
export function functionNameOf(name: string): string {
  const [first, ...rest] = name.split("-");
  return first + rest.map(capital).join("");
}
