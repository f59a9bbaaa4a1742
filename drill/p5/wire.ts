import { chmodSync } from 'node:fs'
import { request as ask, createServer, type IncomingMessage } from 'node:http'

// A stand-in for the console on its own socket: everything that a client says passes through, is kept, and is answered as the attacker likes.

export type Exchange = { method: string; path: string; body: unknown }
export type Answer = { status: number; body: unknown }
/** The answer to give. `pass`: the real console's, to this request or another. */
export type Lie = (asked: Exchange, pass: (asked: Exchange) => Promise<Answer>) => Promise<Answer | string>

async function read(message: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of message) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}

const passTo =
  (socketPath: string) =>
  ({ method, path, body }: Exchange) =>
    new Promise<Answer>((settle, reject) => {
      const text = body === undefined ? undefined : JSON.stringify(body)
      const headers =
        text === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }
      const sent = ask({ socketPath, method, path, headers }, answer =>
        read(answer).then(said => settle({ status: answer.statusCode ?? 500, body: JSON.parse(said) }), reject),
      )
      sent.on('error', reject)
      sent.end(text)
    })

/** `heard` gets every byte of both directions. */
export function standIn(socket: string, real: string, lie: () => Lie, heard: (text: string) => void) {
  const pass = passTo(real)
  const server = createServer((request, response) => {
    const run = async () => {
      const text = await read(request)
      const asked = { method: request.method!, path: request.url!, body: text === '' ? undefined : JSON.parse(text) }
      heard(`${request.method} ${request.url} ${text}`)
      const answer = await lie()(asked, pass)
      const [status, said, type] =
        typeof answer === 'string'
          ? [200, answer, 'text/html']
          : [answer.status, JSON.stringify(answer.body), 'application/json']
      heard(said)
      response.writeHead(status, { 'content-type': type }).end(said)
    }
    run().catch(() => response.destroy())
  })
  return new Promise<() => void>(settle =>
    server.listen(socket, () => {
      chmodSync(socket, 0o666)
      settle(() => {
        server.close()
        server.closeAllConnections()
      })
    }),
  )
}
