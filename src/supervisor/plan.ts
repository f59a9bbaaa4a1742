import { existsSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { BulkheadError } from '../base/errors.ts'
import { genesisPath, readHomeConfig, writeHomeConfig } from '../cli/home.ts'
import type { Plan } from './configure.ts'
import { choosePorts, loopbacks, type PortName, type Ports, type PortWish, portNames, urlOf } from './ports.ts'
import { checkedWitnesses } from './witnesses.ts'

/** What an operator may choose at a start. */
export type Choices = {
  ports?: Partial<Record<PortName, number>>
  edgeBind?: string
  publicUrl?: string
  tlsCert?: string
  tlsKey?: string
  trustedProxy?: string
  apnsUrl?: string
  apnsCa?: string
  /** Instead of those remembered, where there are any; ['none'] forgets them. */
  witnesses?: string[]
}

const loopback = '127.0.0.1'
const isEdge = (name: PortName) => name === 'edge' || name === 'edgeTls'

/** Chooses ports, remembers what enrolled devices and passkeys depend on, and says it all in one plan. Throws PORT_BUSY, USAGE. */
export async function makePlan(home: string, programRoot: string, choices: Choices): Promise<Plan> {
  const { tlsCert, tlsKey } = choices
  if ((tlsCert === undefined) !== (tlsKey === undefined))
    throw new BulkheadError('USAGE', 'A TLS certificate and its key belong together.', {
      remedy: 'Give both --tls-cert and --tls-key.',
    })
  const publicUrl = choices.publicUrl === undefined ? undefined : checkedUrl(choices.publicUrl)
  const chosen = choices.witnesses && checkedWitnesses(choices.witnesses)
  const ports = await rememberedPorts(home, choices, publicUrl)
  if (chosen) writeHomeConfig(home, { ...readHomeConfig(home), witnesses: chosen })
  const { edgeBind = loopback, publicUrl: told, witnesses = [] } = readHomeConfig(home)
  const at = (name: PortName) => ({ host: isEdge(name) ? edgeBind : loopback, port: ports[name] })
  return {
    home,
    program: programRoot,
    genesisDigest: '',
    listen: { edge: at('edge'), edgeTls: at('edgeTls'), console: at('console'), app: at('app'), ledger: at('ledger') },
    urls: {
      edge: urlOf('http', edgeBind, ports.edge),
      console: urlOf('http', loopback, ports.console),
      app: urlOf('http', 'localhost', ports.app), // a passkey needs this very name
      ledger: urlOf('http', loopback, ports.ledger),
      edgeTls: urlOf('https', edgeBind, ports.edgeTls),
    },
    databases: {},
    witnesses,
    ...(told !== undefined && { publicUrl: told }),
    ...(tlsCert !== undefined && tlsKey !== undefined && { tls: { cert: resolve(tlsCert), key: resolve(tlsKey) } }),
    ...apnsOf(choices),
    ...(choices.trustedProxy !== undefined && { trustedProxy: choices.trustedProxy }),
  }
}

function apnsOf({ apnsUrl, apnsCa }: Choices): Pick<Plan, 'apns'> {
  if (apnsUrl === undefined && apnsCa === undefined) return {}
  return {
    apns: { ...(apnsUrl !== undefined && { url: apnsUrl }), ...(apnsCa !== undefined && { ca: resolve(apnsCa) }) },
  }
}

function checkedUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol === 'https:' && url.pathname === '/' && url.search === '' && url.hash === '' && url.username === '')
    return url.origin
  throw new BulkheadError('USAGE', `${text} is not a public URL.`, {
    remedy: 'Give a scheme and a name alone: --public-url https://mdm.example.org',
  })
}

async function rememberedPorts(
  home: string,
  { ports = {}, edgeBind }: Choices,
  publicUrl: string | undefined,
): Promise<Ports> {
  const config = readHomeConfig(home)
  const bind = edgeBind ?? config.edgeBind ?? loopback
  const fixed = genesisAppPort(home)
  const remembered = { ...config.ports, ...(fixed !== undefined && { app: fixed }) }
  const wish = (name: PortName): PortWish => ({
    asked: ports[name],
    remembered: remembered[name],
    hosts: isEdge(name) ? [bind] : name === 'app' ? loopbacks : [loopback],
  })
  const wishes = Object.fromEntries(portNames.map(name => [name, wish(name)])) as Record<PortName, PortWish>
  const chosen = await choosePorts(wishes)
  const kept = remembered.app === undefined ? chosen : { ...chosen, app: remembered.app }
  writeHomeConfig(home, { ...config, ports: kept, edgeBind: bind, ...(publicUrl !== undefined && { publicUrl }) })
  return chosen
}

/** The app's origin is in the genesis: passkeys answer to no other. */
function genesisAppPort(home: string): number | undefined {
  if (!existsSync(genesisPath(home))) return undefined
  const { app } = JSON.parse(readFileSync(genesisPath(home), 'utf8')) as { app?: { origin?: string } }
  return app?.origin === undefined ? undefined : Number(new URL(app.origin).port) || undefined
}
