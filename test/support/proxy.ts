import { type Agent, Agent as HttpAgent, request } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { createAuthority } from '../../simulator/authority.ts'

/** A proxy that ends TLS, asks the device for its certificate, and says in Client-Cert whose it was (RFC 9440). `from`: the address it calls from. */
export async function startProxy(edge: string, from: string) {
  const agent: Agent = new HttpAgent({ localAddress: from } as object)
  const { key, cert } = createAuthority().server
  const server = createServer({ key, cert, requestCert: true, rejectUnauthorized: false }, (incoming, answer) => {
    const certificate = (incoming.socket as TLSSocket).getPeerX509Certificate()
    const { 'client-cert': _, ...headers } = incoming.headers // what the device itself claims is dropped
    const said = certificate ? { 'client-cert': `:${certificate.raw.toString('base64')}:` } : {}
    const options = { agent, method: incoming.method, headers: { ...headers, ...said } }
    const outgoing = request(new URL(incoming.url ?? '/', edge), options, reply => {
      answer.writeHead(reply.statusCode ?? 502, reply.headers)
      reply.pipe(answer)
    })
    outgoing.on('error', () => answer.destroy())
    incoming.pipe(outgoing)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => {
      server.closeAllConnections()
      agent.destroy()
      server.close()
    },
  }
}
