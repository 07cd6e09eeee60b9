import { followLocation } from './links.ts'

/** The end of the list, its next page, or a link to one that cannot be followed. */
export type NextPage =
  | { readonly kind: 'none' }
  | { readonly kind: 'page'; readonly url: URL }
  | { readonly kind: 'unreadable'; readonly link: string }

/**
 * The address of a list's next page, from its `Link` header in any form of RFC 8288. Registries behind
 * a proxy name themselves as they know themselves, so only path and query count: they are taken on
 * the registry's own origin, and a path that lies outside of it is that of the page before.
 */
export function nextPage(header = '', asked: URL, root: URL): NextPage {
  const target = nextIn(linksIn(header))
  if (target === undefined) return mayTell(header) ? { kind: 'unreadable', link: header } : NONE
  const url = followLocation(target, asked)
  if (url === undefined) return { kind: 'unreadable', link: target }
  const inside = url.pathname.startsWith(root.pathname)
  const path = inside ? url.pathname : new URL(asked).pathname
  const next = new URL(`${root.origin}${path}${url.search}`)
  // It would come again and again.
  return next.href === asked.href
    ? { kind: 'unreadable', link: target }
    : { kind: 'page', url: next }
}

const NONE = { kind: 'none' } as const

/** A link that does not say what it is for is taken for that, as clients in Go take it. */
function nextIn(links: readonly Link[]): string | undefined {
  const named = links.find(({ relations }) => relations.includes('next'))
  return (named ?? links.find(({ relations }) => relations.length === 0))?.target
}

/** A header that is not understood is no end of the list. */
function mayTell(header: string): boolean {
  return (header.trim() !== '' && !header.includes('<')) || header.split(',').some(saysNext)
}

// Not with one expression, which would look for the second word once for each time that the first one stands there.
function saysNext(part: string): boolean {
  const at = part.search(/\brel\b/i)
  return at !== -1 && /\bnext\b/i.test(part.slice(at))
}

interface Link {
  readonly target: string
  /** In lower case. */
  readonly relations: readonly string[]
}

// A "<" within one would be looked at from every "<" before it. RFC 8288, section 3: link-value = "<" URI-Reference ">" *( OWS ";" OWS [ link-param ] ).
const LINK = /<([^<>]*)>((?:\s*;\s*(?:[^\s=;,]+(?:\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^\s;,"]*))?)?)*)/g
const PARAMETER = /;\s*([^\s=;,]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*)))?/g

function linksIn(header: string): readonly Link[] {
  return [...header.matchAll(LINK)].map(([, target = '', parameters = '']) => ({
    target: target.trim(),
    relations: relationsIn(parameters),
  }))
}

/** Section 3.3: the first "rel" counts, and can name several. */
function relationsIn(parameters: string): readonly string[] {
  for (const [, name = '', quoted, token = ''] of parameters.matchAll(PARAMETER)) {
    if (name.toLowerCase() === 'rel')
      return (quoted ?? token).replaceAll("'", '').toLowerCase().split(/\s+/)
  }
  return []
}
