import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { BulkheadError } from '../base/errors.ts'

export const portNames = ['edge', 'edgeTls', 'console', 'app', 'ledger'] as const
export type PortName = (typeof portNames)[number]
export type Ports = Record<PortName, number>

const option: Record<PortName, string> = {
  edge: '--edge-port',
  edgeTls: '--edge-tls-port',
  console: '--console-port',
  app: '--app-port',
  ledger: '--ledger-port',
}

/** A name that a browser looks up itself, such as localhost, means both: whoever held one of them at the app's port would share its origin. */
export const loopbacks = ['127.0.0.1', '::1'] as const

/** `hosts`: addresses that the port must be free on; of those behind the first, the machine may lack some. */
export type PortWish = { asked: number | undefined; remembered: number | undefined; hosts: readonly string[] }

/**
 * A port for each listener. Named: that one. Nothing said: the remembered one, else a free one. 0: the remembered one where it
 * is free, else any; for the app always a fresh one, because its remembered port is the origin of everybody's passkeys.
 * Throws PORT_BUSY.
 */
export async function choosePorts(wishes: Record<PortName, PortWish>): Promise<Ports> {
  const chosen = {} as Ports
  for (const name of portNames) chosen[name] = await choose(name, wishes[name])
  return chosen
}

async function choose(name: PortName, { asked, remembered, hosts }: PortWish): Promise<number> {
  const wanted = asked === 0 && name === 'app' ? undefined : asked || remembered
  if (wanted === undefined) return pickPort(hosts)
  // An earlier run's processes may need a moment to let go.
  for (let tries = 0; tries < 8; tries++) {
    const port = await tryPort(wanted, hosts)
    if (port !== undefined) return port
    await sleep(100)
  }
  if (asked === 0) return pickPort(hosts)
  throw new BulkheadError(
    'PORT_BUSY',
    `Port ${wanted} on ${hosts.join(' or ')}, for the ${name === 'edgeTls' ? "edge's TLS listener" : name}, is in use.`,
    {
      remedy:
        name === 'app'
          ? 'Free this port: the passkeys are bound to it.'
          : `Free it, or choose another with ${option[name]} N (0 picks one).`,
    },
  )
}

/** Below what Linux gives to outgoing connections (32768 and up): between this choice and its use nobody is given the port by chance. */
const anyPort = () => randomInt(20_000, 32_000)

/** A free port: the wanted one where it is free. */
export async function pickPort(hosts: readonly string[], wanted = 0): Promise<number> {
  let port = await tryPort(wanted || anyPort(), hosts)
  while (port === undefined) port = await tryPort(anyPort(), hosts)
  return port
}

/** The port, if it is free on all of them. */
async function tryPort(wanted: number, [host, ...others]: readonly string[]): Promise<number | undefined> {
  const port = await tryOne(wanted, host!, false)
  for (const other of others)
    if (port === undefined || (await tryOne(port, other, true)) === undefined) return undefined
  return port
}

function tryOne(port: number, host: string, mayLack: boolean): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined)
      else if (mayLack && (error.code === 'EADDRNOTAVAIL' || error.code === 'EAFNOSUPPORT')) resolve(port)
      else
        reject(
          new BulkheadError('BAD_REQUEST', `Cannot listen on ${host}:${port} (${error.code}).`, {
            remedy: 'Choose another port, or another address with --edge-bind.',
          }),
        )
    })
    server.listen({ port, host, exclusive: true }, () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address ? address.port : port))
    })
  })
}

/** A URL for people on this machine: an address that means "all" is written as loopback. */
export function urlOf(scheme: 'http' | 'https', host: string, port: number): string {
  const name = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '[::1]' : host.includes(':') ? `[${host}]` : host
  return `${scheme}://${name}:${port}`
}
