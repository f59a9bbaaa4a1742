import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { BulkheadError } from '../base/errors.ts'
import { defaultHome, demoHome } from './home.ts'
import { likely } from './likely.ts'

export type Option = { type: 'string' | 'boolean'; multiple?: boolean; value?: string; about: string }
export type Command = {
  summary: string
  /** What stands behind the command's name: positional words and the options that are needed. */
  usage: string
  /** One paragraph that teaches. */
  about: string
  example: string
  options: Record<string, Option>
  /** How many words may follow the name: least and most. */
  words: [number, number]
  load: () => Promise<{ run(args: Args): Promise<number> }>
}

/** What a command gets. `home` is absolute. */
export type Args = {
  command: string
  home: string
  words: string[]
  values: Record<string, string | boolean | (string | boolean)[] | undefined>
}

const usage = (message: string, remedy: string) => new BulkheadError('USAGE', message, { remedy })

/** Takes `--home DIR` out of the line, wherever it stands before `--`. */
export function takeHome(argv: readonly string[]): { home: string; rest: string[] } {
  const rest: string[] = []
  let home: string | undefined
  for (let at = 0; at < argv.length; at++) {
    const word = argv[at]!
    if (word === '--') {
      rest.push(...argv.slice(at))
      break
    }
    if (word === '--home') home = argv[++at] ?? ''
    else if (word.startsWith('--home=')) home = word.slice('--home='.length)
    else rest.push(word)
  }
  if (home === '') throw usage('--home needs a folder.', 'Write --home DIR.')
  return {
    home: resolve(home ?? (rest.find(word => !word.startsWith('-')) === 'demo' ? demoHome() : defaultHome())),
    rest,
  }
}

/** The command that the first one or two words name. */
export function findCommand(names: readonly string[], words: readonly string[]): { name: string; rest: string[] } {
  const at = words.findIndex(word => !word.startsWith('-'))
  const [first = '', second = ''] = at < 0 ? [] : words.slice(at)
  const without = (count: number) => [...words.slice(0, at), ...words.slice(at + count)]
  if (names.includes(`${first} ${second}`)) return { name: `${first} ${second}`, rest: without(2) }
  if (names.includes(first)) return { name: first, rest: without(1) }
  const verbs = names.filter(name => name.startsWith(`${first} `))
  if (verbs.length > 0) throw noVerb(first, second.startsWith('-') ? '' : second, verbs)
  const meant = likely(second === '' ? first : `${first} ${second}`, names) ?? likely(first, names)
  throw usage(
    `There is no command "${first}".`,
    `${meant === undefined ? '' : `Did you mean "bulkhead ${meant}"? `}bulkhead --help lists all.`,
  )
}

function noVerb(first: string, second: string, verbs: string[]) {
  const all = `Write one of: ${verbs.map(verb => `bulkhead ${verb}`).join(', ')}`
  if (second === '') return usage(`bulkhead ${first} needs one more word.`, all)
  const meant = likely(`${first} ${second}`, verbs)
  return usage(
    `There is no command "${first} ${second}".`,
    meant === undefined ? all : `Did you mean "bulkhead ${meant}"? bulkhead ${first} --help lists all.`,
  )
}

/** The commands that begin with the first word of a line, where that word alone is none. */
export function family(names: readonly string[], words: readonly string[]): string[] {
  const [first = '', second = ''] = words.filter(word => !word.startsWith('-'))
  return second === '' && !names.includes(first) ? names.filter(name => name.startsWith(`${first} `)) : []
}

/** Reads what follows a command's name. Throws USAGE, naming the nearest option where one is unknown. */
export function parseCommand(name: string, command: Command, argv: string[], home: string): Args {
  const options = Object.fromEntries(
    Object.entries(command.options).map(([key, { type, multiple }]) => [key, { type, ...(multiple && { multiple }) }]),
  )
  for (const word of argv.slice(0, argv.includes('--') ? argv.indexOf('--') : undefined))
    checkOption(name, command, word)
  const parsed = (() => {
    try {
      return parseArgs({ args: argv, options, allowPositionals: true, strict: true })
    } catch (cause) {
      throw usage((cause as Error).message, `bulkhead ${name} --help shows how to write it.`)
    }
  })()
  const [least, most] = command.words
  const given = parsed.positionals.length
  if (given < least || given > most)
    throw usage(
      given < least
        ? `bulkhead ${name} needs ${command.usage.split(/ (?=--|\[)/)[0]}.`
        : `bulkhead ${name} does not know what "${parsed.positionals[most]}" is for.`,
      `Write: bulkhead ${name} ${command.usage}`,
    )
  return { command: name, home, words: parsed.positionals, values: parsed.values }
}

function checkOption(name: string, { options }: Command, word: string) {
  if (!word.startsWith('--') || word === '--') return
  const key = word.slice(2).split('=')[0]!
  if (Object.hasOwn(options, key)) return
  const meant = likely(key, [...Object.keys(options), 'home', 'help'])
  throw usage(
    `bulkhead ${name} has no option --${key}.`,
    `${meant === undefined ? '' : `Did you mean --${meant}? `}bulkhead ${name} --help lists all.`,
  )
}

/** The value of an option that takes text. */
export function text(args: Args, name: string): string | undefined {
  const value = args.values[name]
  return typeof value === 'string' ? value : undefined
}

/** The same, where the command cannot do without. Throws USAGE. */
export function needed(args: Args, name: string): string {
  const value = text(args, name)
  if (value === undefined || value === '')
    throw usage(
      `bulkhead ${args.command} needs --${name}.`,
      MISSING[name] ?? `bulkhead ${args.command} --help shows how to write it.`,
    )
  return value
}

const MISSING: Record<string, string> = {
  passkey:
    'Add --passkey FILE: a software passkey, as bulkhead init makes it (in the demo: HOME/demo/owner.passkey). Whoever has a real passkey does this in the app.',
}

/** All values of an option that may be repeated. */
export function list(args: Args, name: string): string[] {
  const value = args.values[name]
  return Array.isArray(value) ? value.filter(one => typeof one === 'string') : typeof value === 'string' ? [value] : []
}

export const flag = (args: Args, name: string) => args.values[name] === true

/** A whole number within bounds. Throws USAGE. */
export function whole(args: Args, name: string, least: number, most: number): number | undefined {
  const value = text(args, name)
  if (value === undefined) return undefined
  const number = Number(value)
  if (/^\d{1,9}$/.test(value) && number >= least && number <= most) return number
  throw usage(
    `--${name} ${value} is no whole number from ${least} to ${most}.`,
    `Write for example --${name} ${least}.`,
  )
}
