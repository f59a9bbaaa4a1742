import type { Log } from '../base/log.ts'
import type { Intake } from '../intake/client.ts'
import type { Trusted } from '../trust/roster.ts'
import type { EdgeVault } from '../vault/client.ts'
import type { createGate } from './gate.ts'
import type { createIdentities } from './identity.ts'
import type { createOrders } from './orders.ts'
import type { PermitDesk } from './permits.ts'
import type { EdgeStore } from './store.ts'
import type { Writeback } from './writeback.ts'

/** What the handlers of one edge share. `clock`: seconds since 1970. */
export type Context = {
  store: EdgeStore
  intake: Intake
  vault: EdgeVault
  identities: ReturnType<typeof createIdentities>
  orders: ReturnType<typeof createOrders>
  permits: PermitDesk
  gate: ReturnType<typeof createGate>
  writeback: Writeback
  /** The roster as the control log has it now. */
  readonly trusted: Trusted
  /** Checks path tokens; the vault makes them with the same key. */
  pathKey: Buffer
  /** Names user channels without naming users. */
  channelKey: Buffer
  clock: () => number
  /** Whether a device may ask for its bootstrap token once more: the vault answers all together only so often. */
  mayAskForBootstrapToken: (device: string) => boolean
  log: Log
  trace: (code: string, fields?: { device?: string; order?: string; reason?: string }) => void
}
