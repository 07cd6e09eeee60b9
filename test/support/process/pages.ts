import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

export interface Page {
  /** From the root of the repository. */
  readonly path: string
  readonly text: string
}

export interface Block {
  readonly page: string
  readonly language: string
  readonly text: string
}

/** Every page of the repository for people to read. */
export function pages(): readonly Page[] {
  const folders = ['docs', 'deploy', 'src', 'workers', 'bench', 'test', 'scripts', 'findings']
  const below = folders.flatMap((folder) => markdownIn(folder, true))
  return [...markdownIn('.', false), ...below].map((path) => ({
    path,
    text: readFileSync(path, 'utf8'),
  }))
}

function markdownIn(folder: string, recursive: boolean): readonly string[] {
  return readdirSync(folder, { recursive, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md') && !name.includes('node_modules'))
    .map((name) => join(folder, name))
}

/** What stands between fences. */
export function blocksOf({ path, text }: Page): readonly Block[] {
  return [...text.matchAll(/^( *)```(\w+)\n([^]*?)^ *```$/gm)].map(
    ([, indent = '', language = '', block = '']) => ({
      page: path,
      language,
      text: block.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
    }),
  )
}

/** The page without what stands between fences, which is no text to read. */
export function proseOf({ text }: Page): string {
  return text.replaceAll(/^ *```[^]*?^ *```$/gm, '')
}
