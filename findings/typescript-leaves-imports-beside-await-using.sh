#!/usr/bin/env bash
# TypeScript 6.0.3 with rewriteRelativeImportExtensions: in a function that has `await using`, which it writes anew for an
# older target, it forgets to write `await import('./a.ts')` anew as './a.js'. It compiles without a word, and Node does
# not find the file when the function is called. The same import in a function without `await using` is right. Seen:
#   tsc ends with 0
#   plain: import("./a.js")
#   beside await using: import('./a.ts')
#   plain: 1
#   beside await using: ERR_MODULE_NOT_FOUND
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
printf '{"type":"module"}' >package.json
npm install --no-audit --no-fund --ignore-scripts typescript@6.0.3 >/dev/null
echo 'export const a = 1' >a.ts
cat >b.ts <<'END'
class Opened {
  async [Symbol.asyncDispose](): Promise<void> {}
}
export async function plain(): Promise<number> {
  return (await import('./a.ts')).a
}
export async function besideUsing(): Promise<number> {
  await using opened = new Opened()
  return opened instanceof Opened ? (await import('./a.ts')).a : 0
}
END
cat >tsconfig.json <<'END'
{ "compilerOptions": { "target": "ES2023", "module": "NodeNext", "lib": ["ES2023", "ESNext.Disposable"], "types": [], "rootDir": ".", "outDir": "out", "strict": true, "rewriteRelativeImportExtensions": true } }
END
cat >call.mjs <<'END'
const { plain, besideUsing } = await import('./out/b.js')
console.log(`plain: ${await plain()}`)
console.log(`beside await using: ${await besideUsing().catch(({ code }) => code)}`)
END
{
  node_modules/.bin/tsc -p . && echo 'tsc ends with 0'
  sed -n '/function plain/,/^}/s/.*\(import(.[^)]*)\).*/plain: \1/p' out/b.js
  sed -n '/function besideUsing/,/^}/s/.*\(import(.[^)]*)\).*/beside await using: \1/p' out/b.js
  rm a.ts
  node call.mjs
} | tee seen.txt
diff seen.txt - <<'END'
tsc ends with 0
plain: import("./a.js")
beside await using: import('./a.ts')
plain: 1
beside await using: ERR_MODULE_NOT_FOUND
END
