/** The commands that read their configuration again on SIGHUP. */
const RELOADING = ['serve', 'worker', 'up']

/**
 * Keeps SIGHUP from ending a process that takes it for the wish to read its configuration again: also while it starts,
 * when nobody listens for that yet, and while it ends. Other commands end with the terminal that they run in.
 *
 * @param argv without the interpreter and the script
 */
export function surviveReloads(argv: readonly string[]): void {
  if (RELOADING.some((command) => argv.includes(command))) process.on('SIGHUP', () => undefined)
}
