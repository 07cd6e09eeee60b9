import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

interface Lock {
  readonly packages: Readonly<
    Record<
      string,
      {
        readonly optionalDependencies?: Readonly<Record<string, string>>
        readonly resolved?: string
      }
    >
  >
}

const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8')) as Lock

describe('package-lock.json', () => {
  // An npm that wrote it next to a mirror without the packages of other platforms leaves those out,
  // and every `npm ci` elsewhere refuses the file.
  it('names the optional packages of every platform', () => {
    const missing = Object.entries(packages).flatMap(([from, { optionalDependencies = {} }]) =>
      Object.keys(optionalDependencies).filter(
        (name) =>
          !(`${from}/node_modules/${name}` in packages) && !(`node_modules/${name}` in packages),
      ),
    )

    expect(missing).toEqual([])
  })

  it('names no registry: whoever installs uses their own', () => {
    expect(Object.values(packages).filter(({ resolved }) => resolved?.startsWith('http'))).toEqual(
      [],
    )
  })
})
