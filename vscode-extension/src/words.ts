/**
 * The last case of a `switch` over all values of a type: one that is forgotten does not compile.
 * What a newer server sends is shown as it is.
 */
export function assertNever(value: never): string {
  return String(value);
}

export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** A text with the characters that cannot be seen, or that turn others around, written out. */
export function visible(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) =>
    character === '\n' ? character : `\\u{${(character.codePointAt(0) ?? 0).toString(16).toUpperCase()}}`,
  );
}
