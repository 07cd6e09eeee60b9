/**
 * Characters that change how the text around them looks without being seen: format characters (bidirectional
 * controls, zero-width ones, tags), whatever else Unicode calls ignorable by default, and line separators.
 */
const INVISIBLE = /[\p{Cf}\p{Default_Ignorable_Code_Point}\p{Zl}\p{Zp}]/gu
const INVISIBLE_OR_CONTROL = /[\p{Cf}\p{Default_Ignorable_Code_Point}\p{Zl}\p{Zp}\u007f-\u009f]/gu

/** Foreign text to be looked at: such characters are shown as `\u202e`. */
export function withoutInvisible(text: string): string {
  return text.replace(INVISIBLE, escaped)
}

/** JSON that means the same, in which nothing is invisible or moves a cursor. */
export function visibleJson(json: string): string {
  return json.replace(INVISIBLE_OR_CONTROL, escaped)
}

function escaped(character: string): string {
  return character
    .split('')
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .join('')
}
