import { BulkheadError, publicError } from '../base/errors.ts'
import { family, findCommand, parseCommand, takeHome } from './args.ts'
import { commands } from './commands.ts'
import { helpOf, overview } from './help.ts'
import { json } from './output.ts'

/** The bulkhead command: one line in, one status out. Errors are one JSON line on stderr. */
async function main(argv: string[]): Promise<number> {
  if (argv[0] === 'run' && !isHelp(argv[1])) return (await import('./run.ts')).run(argv.slice(1)) // its options are the file's
  const { home, rest } = takeHome(argv)
  const asksHelp = rest.some(isHelp)
  if (rest.length === 0 || (asksHelp && rest.every(word => word.startsWith('-')))) return say(overview(commands))
  const kin = asksHelp ? family(names, rest) : []
  if (kin.length > 0) return say(overview(Object.fromEntries(kin.map(name => [name, commands[name]!]))))
  const { name, rest: options } = findCommand(names, rest)
  const command = commands[name]!
  if (asksHelp) return say(helpOf(name, command))
  const args = parseCommand(name, command, options, home)
  return (await command.load()).run(args)
}

const names = Object.keys(commands)
const isHelp = (word: string | undefined) => word === '--help' || word === '-h'

function say(words: string): number {
  process.stdout.write(words)
  return 0
}

const USAGE_STATUS = 64

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  const shown = publicError(error)
  // An error that nobody foresaw is a fault of ours: on the operator's own machine its cause may be seen.
  const cause = error instanceof BulkheadError ? {} : { cause: error instanceof Error ? error.stack : String(error) }
  process.stderr.write(`${json({ ...shown, ...cause })}\n`)
  process.exitCode = shown.code === 'USAGE' ? USAGE_STATUS : 1
}
