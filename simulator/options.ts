import type { Http, HttpOptions } from './http.ts'
import type { Identity, KeyPair, KeyType, SignatureShape } from './identity.ts'
import type { Model } from './person.ts'
import type { ScepServer } from './scep.ts'

export type DeviceOptions = {
  seed: string | number
  model: Model
  supervised?: boolean
  /** Of the device's identity; rsa where absent, as the profile asks. */
  keyType?: KeyType
  http?: HttpOptions
  /** Connections shared with other devices; whoever made them closes them. */
  sharedHttp?: Http
  /** Check in and connect over mutual TLS at this origin (the second listener), without a signature header. */
  mutualTls?: { origin: string; ca: string | 'any' }
  signature?: SignatureShape
  /** Write binary property lists. */
  binary?: boolean
  /** Keys made elsewhere, so that a fleet need not make thousands. */
  keys?: KeyPair
  signer?: Identity
  scepServer?: (http: Http, url: string) => Promise<ScepServer>
  /** Told in plain words what happens. */
  say?: (line: string) => void
}
