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
 */
export function mergeTags(
  local: TagPage,
  upstream: readonly string[],
  { n, last }: PageWish,
): TagPage {
  const isNext = (name: string) => last === undefined || name > last
  const here = local.names.filter(isNext)
  const bound = local.more ? here.reduce((a, b) => (a > b ? a : b), last ?? '') : undefined
  const there = upstream.filter(isNext)
  const within = bound === undefined ? there : there.filter((name) => name <= bound)
  const names = [...new Set([...here, ...within])].sort((a, b) => (a < b ? -1 : 1))
  const page = n === undefined ? names : names.slice(0, n)
  const more = local.more || page.length < names.length || within.length < there.length
  return { names: page, more: more && n !== 0 }
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
