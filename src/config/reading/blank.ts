/** Text in which nothing is to be seen; the empty one is told of as such. */
export function isBlank(text: string): boolean {
  return text !== '' && text.trim() === ''
}
