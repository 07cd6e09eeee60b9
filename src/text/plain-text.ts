import { withoutInvisible } from './invisible.ts'

/**
 * A text of a registry or of an earlier job as it may reach a terminal: without control characters,
 * which could move the cursor, recolour or hide what follows, and with the invisible ones shown. Line breaks stay.
 */
export function plainText(text: string): string {
  return withoutInvisible(text)
    .replaceAll('\r\n', '\n')
    .replace(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/g, ' ')
}

/** Each line behind the indentation; at word boundaries, none longer than `columns` where words allow. */
export function indented(text: string, indentation: string, columns: number): string {
  const width = Math.max(20, columns - indentation.length)
  return plainText(text)
    .trimEnd()
    .split('\n')
    .flatMap((line) => wrapped(line, width))
    .map((line) => indentation + line)
    .join('\n')
}

function wrapped(line: string, width: number): readonly string[] {
  const lines: string[] = []
  let rest = line
  while (rest.length > width) {
    const end = rest.lastIndexOf(' ', width)
    if (end <= 0) break
    lines.push(rest.slice(0, end))
    rest = rest.slice(end + 1)
  }
  return [...lines, rest]
}
