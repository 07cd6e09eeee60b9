/** What parsing at an edge gives: the value in our own type, or why the input is not one. */
export type Parsed<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly reason: string }

export function parsed<T>(value: T): Parsed<T> {
  return { ok: true, value }
}

export function unparsable(reason: string): { readonly ok: false; readonly reason: string } {
  return { ok: false, reason }
}

/** A foreign string as it may stand in a message: quoted, on one line, at most 80 characters of it. */
export function quoted(text: string): string {
  const shown = text.length > 80 ? `${text.slice(0, 77)}...` : text
  return JSON.stringify(shown)
}
