import { createPrivateKey, type KeyObject } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The edge's own keys, made by init. Who reads these files can check and make path tokens and open secret bodies; no staff data and no order. */
export type EdgeKeys = { path: Buffer; delivery: KeyObject }

export function loadEdgeKeys(dir: string): EdgeKeys {
  return {
    path: readFileSync(join(dir, 'path-token.key')),
    delivery: createPrivateKey(readFileSync(join(dir, 'delivery.key'))),
  }
}
