import { readFileSync, writeFileSync } from 'node:fs'
import { BulkheadError } from '../base/errors.ts'
import type { Push } from '../console/api.ts'
import { type Args, needed, text } from './args.ts'
import { consoleClient, openHome } from './client.ts'
import { pairs, show, when } from './output.ts'

export async function run(args: Args): Promise<number> {
  const verb = args.command.split(' ')[1]
  if (verb === 'csr') return csr(args)
  if (verb === 'import') return load(args)
  return shown(args, await consoleClient(args.home).get<Push>('/api/push'))
}

async function csr(args: Args): Promise<number> {
  const organisation = openHome(args.home).roster.name
  const made = await consoleClient(args.home).post<{ csr: string }>('/api/push/csr', { organisation })
  const out = text(args, 'out')
  if (out === undefined) return show(args, made, () => made.csr)
  writeFileSync(out, made.csr)
  return show(args, { ...made, file: out }, () => `The request is in ${out}. Its key never leaves the vault.\n`)
}

async function load(args: Args): Promise<number> {
  const [file] = args.words
  const account = needed(args, 'account')
  return shown(
    args,
    await consoleClient(args.home).post<Push>('/api/push', { certificate: readCertificate(file!), account }),
  )
}

function readCertificate(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new BulkheadError('NOT_FOUND', `${file} cannot be read.`, {
      remedy: 'Name the PEM file that Apple gave you.',
      cause,
    })
  }
}

function shown(args: Args, push: Push): number {
  const note = push.placeholder
    ? 'No push certificate yet: devices must be woken by hand, and enrol again once there is one.\n'
    : ''
  return show(
    args,
    push,
    () =>
      `${pairs([
        ['topic', push.topic],
        ['until', push.expiresAt === null ? 'never' : when(push.expiresAt)],
        ['account', push.account ?? 'none'],
      ])}${note}`,
  )
}
