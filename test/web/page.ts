import { registerHooks } from 'node:module'
import { parentPort } from 'node:worker_threads'

/** The app's judgement as it runs in a browser: in a thread of its own, with the stand-ins that vite.config.ts puts in the place of Node. */
const places: Record<string, string> = { 'node:crypto': 'crypto.ts', 'node:buffer': 'buffer.ts' }
registerHooks({
  resolve: (specifier, context, next) =>
    next(
      places[specifier] ? new URL(`../../web/src/node/${places[specifier]}`, import.meta.url).href : specifier,
      context,
    ),
})

const { Buffer: PageBuffer } = await import('../../web/src/node/buffer.ts')
const { judge } = await import('../../web/src/judge.ts')
const { settled } = await import('../../web/src/node/answers.ts')
const { isAttested } = await import('../../src/trust/attestation.ts')
const { standingOf } = await import('../../src/trust/standing.ts')

if ((globalThis.Buffer as unknown) !== PageBuffer) throw new Error('The stand-ins are not in the place of Node’s own.')

export type Asked = { shown: Parameters<typeof judge>[0]; now: number } | { attested: Parameters<typeof isAttested> }

parentPort!.on('message', async (asked: Asked) => {
  try {
    if ('attested' in asked) return parentPort!.postMessage(await settled(() => isAttested(...asked.attested)))
    const { view, heads } = await settled(() => judge(asked.shown))
    const { passedOver } = view
    parentPort!.postMessage({ standing: standingOf(view, asked.now), heads, passedOver: [...passedOver] })
  } catch (error) {
    parentPort!.postMessage({ refused: (error as Error).message })
  }
})
