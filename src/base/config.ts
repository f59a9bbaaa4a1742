import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { BulkheadError } from './errors.ts'

/** Where a compartment listens for strangers. `host` is an address, never a name. */
export type Listen = { host: string; port: number }

/** How a compartment reaches PostgreSQL: its own role and no other. `host` is a folder where it is a unix socket. */
export type DatabaseConfig = {
  host: string
  port: number
  user: string
  password: string
  database: string
  ssl: boolean
}

/** URLs under which the parts of this installation are reached, without a slash at the end. */
export type Urls = { edge: string; console: string; app: string; ledger: string; edgeTls: string }

/** All that one compartment is told. The supervisor writes it anew at each start; the compartment can only read it. */
export type Config = {
  name: string
  home: string
  /** Path of the public roster genesis, and its SHA-256 in hex: a genesis with another digest must not be used. */
  genesis: string
  genesisDigest: string
  database?: DatabaseConfig
  /** Caller to the socket on which this compartment serves it. */
  serves: Record<string, string>
  /** Callee to the socket on which this compartment calls it. */
  calls: Record<string, string>
  /** `http` everywhere but the vault and watch; `tls` is the edge's listener for mutual TLS. */
  listen: { http?: Listen; tls?: Listen }
  urls: Urls
  /** The URL that devices are told, where it is not `urls.edge`. */
  publicUrl?: string
  /** PEM files of the edge's own TLS listener, where the operator gave them. */
  tls?: { cert: string; key: string }
  apns?: { url?: string; ca?: string }
  /** For the ledger alone: URLs of the witnesses that it submits its checkpoints to, each with a key behind `#` where it was given. */
  witnesses?: string[]
  /** Address of the proxy whose `Client-Cert` header is believed. */
  trustedProxy?: string
  /** The folder of the built admin app, for the app alone. */
  webDir?: string
  /** Only while the home was never initialised: the code that the set-up page must show again. */
  setup?: { code: string }
  /** For the vault alone: a second folder, in which copies of its keyring are kept. */
  keyringCopy?: string
  dataDir: string
  keysDir: string
}

/** Reads the configuration of the compartment `name` from the home in the command line. Throws BulkheadError NOT_INITIALISED. */
export function loadConfig(name: string, argv: readonly string[] = process.argv): Config {
  const at = argv.lastIndexOf('--home')
  const home = at < 0 ? undefined : argv[at + 1]
  if (home === undefined)
    throw new BulkheadError('USAGE', 'A compartment needs --home DIR.', { remedy: 'Let `bulkhead up` start it.' })
  const path = join(resolve(home), name, 'config.json')
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Config
  } catch (cause) {
    throw new BulkheadError('NOT_INITIALISED', `The configuration of ${name} cannot be read.`, {
      remedy: 'Let `bulkhead up` start it.',
      cause,
    })
  }
}
