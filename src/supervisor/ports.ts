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

export type PortWish = { asked: number | undefined; remembered: number | undefined; host: string }

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

async function choose(name: PortName, { asked, remembered, host }: PortWish): Promise<number> {
  const wanted = asked === 0 && name === 'app' ? undefined : asked || remembered
  if (wanted === undefined) return pickPort(host)
  // An earlier run's processes may need a moment to let go.
  for (let tries = 0; tries < 8; tries++) {
    const port = await tryPort(wanted, host)
    if (port !== undefined) return port
    await sleep(100)
  }
  if (asked === 0) return pickPort(host)
  throw new BulkheadError(
    'PORT_BUSY',
    `Port ${wanted} on ${host}, for the ${name === 'edgeTls' ? "edge's TLS listener" : name}, is in use.`,
    {
      remedy:
        name === 'app'
          ? 'Free this port: the passkeys are bound to it.'
          : `Free it, or choose another with ${option[name]} N (0 picks one).`,
    },
  )
}

/** A free port: the wanted one where it is free. */
export async function pickPort(host: string, wanted = 0): Promise<number> {
  return (await tryPort(wanted, host)) ?? (await tryPort(0, host))!
}

function tryPort(port: number, host: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined)
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
