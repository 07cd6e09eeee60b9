/** What a registry wants to be shown; RFC 7617 and the distribution project's token specification. */
export type Challenge =
  | { readonly kind: 'basic' }
  | {
      readonly kind: 'bearer'
      /** Where tokens are; as written in the header. */
      readonly realm: string
      readonly service: string | undefined
      readonly scopes: readonly string[]
    }

/**
 * The challenge of a WWW-Authenticate header that can be met, Bearer before Basic; undefined when
 * there is none. Several challenges may stand in one header, with commas between and within them.
 */
export function parseChallenge(header: string | undefined): Challenge | undefined {
  const all = schemes(header ?? '')
  const bearer = all.find(({ scheme, params }) => scheme === 'bearer' && params.has('realm'))
  if (bearer !== undefined) {
    return {
      kind: 'bearer',
      realm: bearer.params.get('realm') ?? '',
      service: bearer.params.get('service'),
      scopes: (bearer.params.get('scope') ?? '').split(' ').filter((scope) => scope !== ''),
    }
  }
  return all.some(({ scheme }) => scheme === 'basic') ? { kind: 'basic' } : undefined
}

interface Scheme {
  readonly scheme: string
  readonly params: Map<string, string>
}

// RFC 9110, 11.6.1. A word is a parameter's name when "=" and a value follow, otherwise a new scheme.
const PARAM = /([!#$%&'*+.^_`|~\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([!#$%&'*+.^_`|~\w:/?@-]+))/y
const SCHEME = /([!#$%&'*+.^_`|~\w-]+)/y
const TOKEN68 = /[ \t]+[\w.~+/-]+=*(?=\s*(?:,|$))/y
const SEPARATOR = /[\s,]*/y

function schemes(header: string): readonly Scheme[] {
  const found: Scheme[] = []
  let at = 0
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at
    const match = pattern.exec(header)
    if (match !== null) at = pattern.lastIndex
    return match
  }
  for (;;) {
    take(SEPARATOR)
    const param = take(PARAM)
    if (param !== null) {
      addParam(found.at(-1), param)
      continue
    }
    const scheme = take(SCHEME)?.[1]
    if (scheme === undefined) return found
    found.push({ scheme: scheme.toLowerCase(), params: new Map() })
    take(TOKEN68)
  }
}

// The first of two equal names counts, so that nothing appended can override it.
function addParam(scheme: Scheme | undefined, [, name = '', quoted, plain = '']: RegExpExecArray) {
  const key = name.toLowerCase()
  if (scheme === undefined || scheme.params.has(key)) return
  scheme.params.set(key, quoted?.replaceAll(/\\(.)/g, '$1') ?? plain)
}
