/** Text with its `${NAME}` replaced, and what was wrong with them. */
export interface Interpolated {
  readonly text: string
  readonly problems: readonly string[]
}

/**
 * Replaces `${NAME}` and `${NAME:-default}` (used when NAME is unset or empty) from `env`; `$$` is a
 * literal `$`, and so is a `$` before anything but `{`. Problems never show a variable's value.
 */
export function interpolate(text: string, env: NodeJS.ProcessEnv): Interpolated {
  const problems: string[] = []
  const replaced = text.replace(PLACEHOLDER, (placeholder: string, inside: string | undefined) => {
    if (placeholder === '$$') return '$'
    const value = lookUp(inside ?? '', env)
    if (value.kind === 'problem') problems.push(value.message)
    return value.kind === 'value' ? value.text : ''
  })
  return { text: replaced, problems }
}

// An opened ${ without its } is taken to the end, so that it is found and named.
const PLACEHOLDER = /\$\$|\$\{([^}]*\}?)/g
const INSIDE = /^([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}$/

type LookedUp =
  | { readonly kind: 'value'; readonly text: string }
  | { readonly kind: 'problem'; readonly message: string }

function lookUp(inside: string, env: NodeJS.ProcessEnv): LookedUp {
  const [, name, fallback] = INSIDE.exec(inside) ?? []
  if (name === undefined) {
    return {
      kind: 'problem',
      message: 'expected ${NAME} or ${NAME:-default} after "$" (write $$ for a literal "$")',
    }
  }
  const value = env[name]
  if (value !== undefined && (value !== '' || fallback === undefined)) {
    return { kind: 'value', text: value }
  }
  if (fallback !== undefined) return { kind: 'value', text: fallback }
  return { kind: 'problem', message: `the environment variable ${name} is not set` }
}
