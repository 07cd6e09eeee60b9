import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import ts from 'typescript'
import { type Child, startChild } from '../../support/process/child.ts'

/**
 * Runs `script` as a process of its own, in a folder that holds `src/lifecycle` as JavaScript:
 * signals and forced ends cannot be tried within the test's own process.
 */
export async function startScript(folder: string, script: string): Promise<Child> {
  await mkdir(folder, { recursive: true })
  for (const name of await readdir('src/lifecycle')) {
    if (!name.endsWith('.ts')) continue
    const source = await readFile(join('src/lifecycle', name), 'utf8')
    await writeFile(join(folder, name.replace(/\.ts$/, '.js')), transpiled(source))
  }
  await writeFile(join(folder, 'package.json'), '{"type":"module"}')
  const file = join(folder, 'script.js')
  await writeFile(file, transpiled(script))
  return await startChild({ command: process.execPath, args: [file] })
}

function transpiled(source: string): string {
  return ts.transpileModule(source, {
    compilerOptions: {
      target: ts.ScriptTarget.ES2023,
      module: ts.ModuleKind.ESNext,
      rewriteRelativeImportExtensions: true,
      verbatimModuleSyntax: true,
    },
  }).outputText
}
