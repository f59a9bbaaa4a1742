import { rpcClient } from '../base/rpc.ts'
import type { Ledger } from './api.ts'

/** The ledger over a caller's own socket. Throws BulkheadError: the ledger's own, or UNAVAILABLE where it is away. */
export function ledgerClient(options: { path: string }): Ledger & { close(): void } {
  const rpc = rpcClient({ path: options.path, name: 'ledger' })
  const method =
    <Name extends keyof Ledger>(name: Name) =>
    (params: Parameters<Ledger[Name]>[0]) =>
      rpc.call(name, params) as ReturnType<Ledger[Name]>
  return {
    append: method('append'),
    checkpoint: method('checkpoint'),
    prove: method('prove'),
    consistency: method('consistency'),
    entry: method('entry'),
    find: method('find'),
    close: () => rpc.close(),
  }
}
