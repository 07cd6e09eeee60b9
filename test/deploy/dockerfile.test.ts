import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'

/** The instructions of each stage, with continued lines as one. */
async function stages(): Promise<readonly (readonly string[])[]> {
  const text = await readFile('Dockerfile', 'utf8')
  const instructions = text
    .replaceAll(/^#.*\n/gm, '')
    .replaceAll('\\\n', '')
    .split('\n')
    .filter((line) => line !== '')
  const found: string[][] = []
  for (const instruction of instructions) {
    if (instruction.startsWith('FROM ')) found.push([])
    found.at(-1)?.push(instruction)
  }
  return found
}

describe('the Dockerfile', () => {
  it('needs no shell in its last stage, to be built or to run', async () => {
    const last = (await stages()).at(-1) ?? []

    expect(last.filter((line) => line.startsWith('RUN '))).toEqual([])
    for (const line of last.filter((each) => /^(ENTRYPOINT|CMD|HEALTHCHECK) /.test(each))) {
      expect(line).toMatch(/^\w+ \[".*"\]$/)
    }
    expect(last).toContain('USER 1000:1000')
  })

  it('is of the sources that the build has, and lets the context hold nothing else', async () => {
    const copied = (await stages())
      .flat()
      .filter((line) => line.startsWith('COPY ') && !line.includes('--from='))
      .flatMap((line) => line.split(' ').slice(1, -1))
      .map((path) => path.replace('./', ''))
    const ignored = await readFile('.dockerignore', 'utf8')
    const allowed = [...ignored.matchAll(/^!(.+)$/gm)].map(([, path]) => path)

    expect(new Set(copied)).toEqual(new Set(allowed))
  })
})
