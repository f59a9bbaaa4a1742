import type { Server } from 'node:http'

/** What every compartment's process does alike: listen, say that it is ready, and go when told or when its supervisor is gone. */
export function listen(server: Server, { host, port }: { host: string; port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, 1024, () => resolve())
  })
}

/**
 * Says `ready`, once `ready` has come to pass, and ends the process on SIGTERM, SIGINT or when the supervisor's channel closes: nothing of
 * ours outlives it.
 */
export function stopWith(
  servers: Server[],
  close: () => Promise<void>,
  ready: Promise<unknown> = Promise.resolve(),
): void {
  let stopping = false
  const stop = async () => {
    if (stopping) return
    stopping = true
    setTimeout(() => process.exit(1), 4_000).unref()
    for (const server of servers) {
      server.close()
      server.closeIdleConnections?.()
    }
    await close().catch(() => {})
    process.exit(0)
  }
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void stop())
  process.on('disconnect', () => void stop())
  void ready.then(() => stopping || process.send?.({ t: 'ready' }))
}
