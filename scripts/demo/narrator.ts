import type { Page } from './page.ts'

/** Tells the demo's story, and keeps account of what was seen to be true. */
export interface Narrator {
  chapter(title: string): void
  say(text: string): void
  /** A command as somebody would type it, and what it printed. */
  command(line: string, output?: string): void
  note(text: string): void
  /** Waits for a claim to be proven. The first one that is not ends the story. */
  see<T>(claim: string, proof: () => T | Promise<T>): Promise<T>
  /** For the summary. */
  digest(what: string, digest: string): void
  failed(error: unknown): void
  summary(): void
}

export function narratorOn(page: Page): Narrator {
  const account = newAccount()
  let chapters = 0
  return {
    chapter: (title) => {
      chapters += 1
      page.line(`\n${chapters}. ${title}`, 'bold')
    },
    say: (text) => {
      page.line(text)
    },
    command: (line, output = '') => {
      page.line(`  $ ${line}`, 'cyan')
      if (output.trim() !== '') page.line(indented(output.trimEnd()), 'dim')
    },
    note: (text) => {
      page.note(text)
    },
    see: async (claim, proof) => {
      const held = Promise.resolve().then(proof)
      account.claims.push(await isKept(held))
      page.line(`  ${mark(page, account.claims.at(-1) === true)} ${claim}`)
      return await held
    },
    digest: (what, digest) => {
      account.digests.push(`  ${what.padEnd(48)} ${digest}`)
    },
    failed: (error) => {
      const why = error instanceof Error ? error.message : String(error)
      page.line(`\nThe demo failed: ${why}`, 'red')
    },
    summary: () => {
      summarise(page, account)
    },
  }
}

interface Account {
  readonly claims: boolean[]
  readonly digests: string[]
}

function newAccount(): Account {
  return { claims: [], digests: [] }
}

function summarise(page: Page, { claims, digests }: Account): void {
  if (claims.length === 0) return
  const held = claims.filter(Boolean).length
  page.line('\nSummary', 'bold')
  for (const line of digests) page.line(line)
  const style = held === claims.length ? 'green' : 'red'
  page.line(`  ${held} of ${claims.length} claims seen to be true`, style)
}

function mark(page: Page, held: boolean): string {
  return held ? page.paint('green', '✓') : page.paint('red', '✗')
}

async function isKept(promise: Promise<unknown>): Promise<boolean> {
  return await promise.then(
    () => true,
    () => false,
  )
}

export function indented(text: string): string {
  return text.replaceAll(/^(?=.)/gm, '    ')
}
