import type { Command } from './args.ts'

/** The list of all commands. */
export function overview(commands: Record<string, Command>): string {
  const width = Math.max(...Object.keys(commands).map(name => name.length))
  const lines = Object.entries(commands).map(([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`)
  return [
    'Bulkhead: a device management server that survives its own breach.',
    '',
    'usage: bulkhead COMMAND … [--home DIR]',
    '',
    ...lines,
    '',
    'bulkhead COMMAND --help explains one of them.',
    '',
  ].join('\n')
}

/** One command: what it is for, how it is written, an example. */
export function helpOf(name: string, { usage, about, options, example }: Command): string {
  const all = {
    ...options,
    home: {
      type: 'string',
      value: 'DIR',
      about: 'the installation; root: /var/lib/bulkhead, else ~/.bulkhead',
    } as const,
  }
  const label = (key: string, value?: string) => (value === undefined ? `--${key}` : `--${key} ${value}`)
  const rows = Object.entries(all).map(([key, option]): [string, string] => [
    label(key, option.type === 'string' ? (option.value ?? 'TEXT') : undefined),
    option.about,
  ])
  const width = Math.max(...rows.map(([left]) => left.length))
  const lines = rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`)
  return [
    `usage: bulkhead ${name} ${usage}`.trimEnd(),
    '',
    ...wrap(about, 100),
    '',
    ...lines,
    '',
    'example:',
    `  ${example}`,
    '',
  ].join('\n')
}

function wrap(text: string, width: number): string[] {
  const lines = ['']
  for (const word of text.split(' ')) {
    const last = lines.at(-1)!
    if (last !== '' && last.length + word.length >= width) lines.push(word)
    else lines[lines.length - 1] = last === '' ? word : `${last} ${word}`
  }
  return lines
}
