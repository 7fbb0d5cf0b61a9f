/**
 * The last case of a `switch` over all values of a type: one that is forgotten does not compile.
 * What a newer server sends is shown as it is.
 */
export function assertNever(value: never): string {
  return String(value);
}
