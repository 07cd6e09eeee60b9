/** Names in the order of their bytes, as OCI distribution-spec, "Listing Tags", wants them. */
export interface TagPage {
  readonly names: readonly string[]
  /** Whether there are more behind these. */
  readonly more: boolean
}

export interface PageWish {
  /** Names on a page at most. */
  readonly n?: number
  /** The last name that the client has. */
  readonly last?: string
}

/**
 * The page of one list made of two. Of upstream's names only those come that the local registry's next page cannot
 * come before. A registry that takes no notice of `n` or `last` has given all it has.
 *
 * @param upstream in order: of many thousand, no more are looked at than the page has
 */
export function mergeTags(
  local: TagPage,
  upstream: readonly string[],
  { n = Infinity, last }: PageWish,
): TagPage {
  const here = inOrder(local.names.filter((name) => last === undefined || name > last))
  const from = last === undefined ? 0 : countUpTo(upstream, last)
  const end = local.more ? countUpTo(upstream, here.at(-1) ?? last ?? '') : upstream.length
  const { names, isCut } = firstOfBoth(here, { names: upstream, from, end }, n)
  return { names, more: (local.more || isCut || end < upstream.length) && n !== 0 }
}

/** Each name once. `localeCompare` would not order them so. */
export function inOrder(names: readonly string[]): readonly string[] {
  return [...new Set(names)].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))
}

interface Stretch {
  readonly names: readonly string[]
  readonly from: number
  readonly end: number
}

function firstOfBoth(here: readonly string[], { names: there, from, end }: Stretch, n: number) {
  const names: string[] = []
  let [i, j] = [0, from]
  const first = () => earlier(here[i], j < end ? there[j] : undefined)
  for (let next = first(); next !== undefined && names.length < n; next = first()) {
    names.push(next)
    if (here[i] === next) i += 1
    if (there[j] === next) j += 1
  }
  return { names, isCut: i < here.length || j < end }
}

function earlier(a: string | undefined, b: string | undefined): string | undefined {
  if (a === undefined || b === undefined) return a ?? b
  return a < b ? a : b
}

/** How many names of an ordered list do not come behind that one. */
function countUpTo(names: readonly string[], last: string): number {
  let [low, high] = [0, names.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((names[middle] ?? '') > last) high = middle
    else low = middle + 1
  }
  return low
}

export function readPageWish(query: URLSearchParams): PageWish {
  const [n, last] = [query.get('n') ?? '', query.get('last') ?? '']
  return { ...(/^\d{1,9}$/.test(n) && { n: Number(n) }), ...(last !== '' && { last }) }
}

/** RFC 8288. Undefined where there is no further page. */
export function linkAfter(
  { names, more }: TagPage,
  path: string,
  { n }: PageWish,
): string | undefined {
  const last = names.at(-1)
  if (!more || last === undefined) return undefined
  const query = new URLSearchParams({ last, ...(n !== undefined && { n: String(n) }) })
  return `<${path}?${query.toString()}>; rel="next"`
}
