import { z } from 'zod'
import { parsed, type Parsed, unparsable } from '../../oci/parsed.ts'
import { didYouMean } from './did-you-mean.ts'
import { parseDuration, parseFlag, parseWhole, type Range } from './scalars.ts'

/** A mapping of exactly these keys. The message of an unknown one is the list of the known. */
export function section<Shape extends z.core.$ZodLooseShape>(shape: Shape) {
  const known = Object.keys(shape).join(', ')
  return z.strictObject(shape, {
    error: (issue) => (issue.code === 'unrecognized_keys' ? known : undefined),
  })
}

/** A single value, read by `parse`; an absent one is told apart by its undefined input. */
export function scalar<T>(parse: (value: unknown) => Parsed<T>) {
  return z.unknown().transform((value, context): T => {
    const result = parse(value)
    if (result.ok) return result.value
    context.issues.push({ code: 'custom', message: result.reason, input: value })
    return z.NEVER
  })
}

/** A text, read by `parse`. */
export function text<T>(parse: (text: string) => Parsed<T>) {
  return scalar((value) => (typeof value === 'string' ? parse(value) : notText(value, parse)))
}

/** Any text but the empty one. */
export function anyText() {
  return text((value) =>
    value === '' ? unparsable('expected text that is not empty') : parsed(value),
  )
}

/** One of these words. */
export function oneOf<Word extends string>(words: readonly Word[]) {
  return scalar((value) => {
    const text = typeof value === 'number' ? `${value}` : value
    const word = words.find((each) => each === text)
    if (word !== undefined) return parsed(word)
    const near = typeof value === 'string' ? didYouMean(value, words) : undefined
    const hint = near === undefined ? '' : ` (did you mean ${near}?)`
    return unparsable(`expected ${listed(words)}${hint}`)
  })
}

/** `true` or `false`. */
export function flag() {
  return scalar(parseFlag)
}

/** A whole number within the range. */
export function whole(range: Range) {
  return scalar((value) => parseWhole(value, range))
}

/** A duration within the range, in milliseconds. */
export function duration(range: Range) {
  return text((value) => parseDuration(value, range))
}

/** A list of at least one; a single value counts as a list of one. */
export function oneOrMore<Item extends z.ZodType>(item: Item, most = Infinity) {
  return z.preprocess(
    (value) => (value === undefined || Array.isArray(value) ? value : [value]),
    someOf(item).refine((items) => items.length <= most, `at most ${most} are allowed`),
  )
}

/** A list of at least one. */
export function someOf<Item extends z.ZodType>(item: Item) {
  return z.array(item).refine((items) => items.length > 0, 'at least one is needed')
}

// YAML reads an unquoted 1.0 as a number; the text is lost by then (it could have been 1.00).
function notText<T>(value: unknown, parse: (text: string) => Parsed<T>): Parsed<T> {
  const quotable = typeof value === 'number' || typeof value === 'boolean'
  const lacksQuotes = quotable && parse(String(value)).ok
  return lacksQuotes ? unparsable('expected text (put it in quotes)') : parse('')
}

function listed(words: readonly string[]): string {
  return words.length === 1
    ? String(words[0])
    : `${words.slice(0, -1).join(', ')} or ${words.at(-1) ?? ''}`
}
