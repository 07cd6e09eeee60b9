/** The known word that `word` is probably a slip of, if one is near enough. */
export function didYouMean(word: string, known: readonly string[]): string | undefined {
  const tolerance = word.length <= 4 ? 1 : 2
  const near = known
    .map((candidate) => ({ candidate, distance: distance(word, candidate) }))
    .filter((each) => each.distance <= tolerance)
    .sort((a, b) => a.distance - b.distance)
  return near[0]?.candidate
}

/** Levenshtein's distance, upper and lower case being equal. */
function distance(from: string, to: string): number {
  const target = to.toLowerCase().split('')
  let row = [0, ...target.map((_, index) => index + 1)]
  for (const [line, letter] of from.toLowerCase().split('').entries()) {
    const next = [line + 1]
    for (const [column, other] of target.entries()) {
      const replaced = (row[column] ?? 0) + (letter === other ? 0 : 1)
      next.push(Math.min(replaced, (row[column + 1] ?? 0) + 1, (next[column] ?? 0) + 1))
    }
    row = next
  }
  return row.at(-1) ?? 0
}
