import { BulkheadError } from '../base/errors.ts'
import type { VaultMethods } from './api.ts'

export type VaultCaller = 'edge' | 'console'
export type VaultMethod = keyof VaultMethods

/** Who may call what. Each caller has a socket of its own, on which nothing else exists. A method without a row stops the start. */
export const callers: Readonly<Record<VaultMethod, readonly VaultCaller[]>> = {
  invitationPage: ['edge'],
  enrolmentProfile: ['edge'],
  renewalProfile: ['edge'],
  caCertificates: ['edge'],
  scep: ['edge'],
  bootstrapToken: ['edge'],
  unlockToken: ['edge'],
  wake: ['edge', 'console'], // an approved order is due at once
  invite: ['console'],
  pushCsr: ['console'],
  pushImport: ['console'],
  pushShow: ['console'],
  releaseKeys: ['console'],
  writeRecords: ['console'],
  release: ['console'],
  erase: ['console'],
  recordStates: ['console'],
}

/** The methods that exist on this caller's socket. Throws INTERNAL where a method has no row, or a row no method. */
export function methodsFor<Handler>(
  caller: VaultCaller,
  handlers: Record<string, Handler>,
  table: Readonly<Record<string, readonly VaultCaller[]>> = callers,
): Record<string, Handler> {
  for (const name of Object.keys(handlers)) if (!Object.hasOwn(table, name)) throw wall(name, 'has no row')
  for (const name of Object.keys(table)) if (!Object.hasOwn(handlers, name)) throw wall(name, 'does not exist')
  return Object.fromEntries(Object.entries(handlers).filter(([name]) => table[name]!.includes(caller)))
}

const wall = (name: string, what: string) =>
  new BulkheadError(
    'INTERNAL',
    `The vault's method ${name} ${what} in the table of callers: nobody decided who may call it.`,
  )
