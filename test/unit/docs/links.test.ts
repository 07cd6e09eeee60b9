import { existsSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { describe, expect, it } from 'vitest'
import { pages, proseOf } from '../../support/process/pages.ts'

const ALL = pages()

describe('the pages', () => {
  it.each(ALL.map((page) => [page.path, page] as const))('%s lead to what is there', (_, page) => {
    const broken = linksIn(proseOf(page)).filter((link) => !leads(page.path, link))

    expect(broken).toEqual([])
  })

  it('are all to be found from the list of all', () => {
    const list = ALL.find(({ path }) => path === 'docs/README.md')
    const named = new Set(
      linksIn(list?.text ?? '').map((link) => normalize(join('docs', link.split('#')[0] ?? ''))),
    )
    const [OWN_LIST] = [/^docs\/(?:decisions|sources)\/(?!README)/]
    const missing = ALL.map(({ path }) => path).filter(
      (path) => path.startsWith('docs/') && path !== 'docs/README.md' && !OWN_LIST.test(path),
    )

    expect(missing.filter((path) => !named.has(path))).toEqual([])
  })

  it('begin with one that is read in five minutes', () => {
    const text = ALL.find(({ path }) => path === 'README.md')?.text ?? ''
    const unfolded = text.replaceAll(/<details>[^]*?<\/details>/g, '')

    expect(unfolded.split(/\s+/).length).toBeLessThanOrEqual(1_200)
  })
})

/** Those within the repository. */
function linksIn(text: string): readonly string[] {
  return [...text.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target = '']) => target)
    .filter((target) => !/^[a-z]+:/.test(target))
}

function leads(from: string, link: string): boolean {
  const [path = '', anchor = ''] = link.split('#')
  const target = path === '' ? from : normalize(join(dirname(from), path))
  if (!existsSync(target)) return false
  return anchor === '' || (statSync(target).isFile() && anchorsIn(target).includes(anchor))
}

/** As GitHub names headings. */
function anchorsIn(path: string): readonly string[] {
  const text = proseOf({ path, text: readFileSync(path, 'utf8') })
  const seen = new Map<string, number>()
  return [...text.matchAll(/^#{1,6} +(.+)$/gm)].map(([, heading = '']) => {
    const name = heading
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-')
    const count = seen.get(name) ?? 0
    seen.set(name, count + 1)
    return count === 0 ? name : `${name}-${count}`
  })
}
