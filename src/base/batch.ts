import { BulkheadError } from './errors.ts'

/**
 * Gathers calls into batches: an item waits only while all `parallel` batches are under way, and, where batches are dear, until `apart`
 * milliseconds after the last one began. Each item gets its own result or error.
 */
export function batcher<In, Out>(options: {
  run: (items: In[]) => Promise<Out[]>
  most: number
  parallel: number
  apart?: number
}): (item: In) => Promise<Out> {
  type Waiting = { item: In; resolve: (value: Out) => void; reject: (error: unknown) => void }
  let queue: Waiting[] = []
  let running = 0
  let scheduled = false
  let began = Number.NEGATIVE_INFINITY

  async function flush(batch: Waiting[]) {
    running++
    try {
      const results = await options.run(batch.map(waiting => waiting.item))
      batch.forEach((waiting, at) => void waiting.resolve(results[at] as Out))
    } catch (error) {
      const away = error instanceof BulkheadError && error.code === 'UNAVAILABLE'
      if (batch.length === 1 || away) for (const waiting of batch) waiting.reject(error)
      // One poisoned item must not fail its neighbours: each gets a try of its own.
      else for (const waiting of batch) await flush([waiting])
    } finally {
      running--
      schedule()
    }
  }
  function schedule() {
    if (scheduled || queue.length === 0 || running >= options.parallel) return
    scheduled = true
    const wait = began + (options.apart ?? 0) - performance.now()
    if (wait > 0) setTimeout(start, wait)
    else setImmediate(start)
  }
  function start() {
    scheduled = false
    began = performance.now()
    while (queue.length > 0 && running < options.parallel) {
      const batch = queue.slice(0, options.most)
      queue = queue.slice(options.most)
      void flush(batch)
    }
  }
  return item =>
    new Promise((resolve, reject) => {
      queue.push({ item, resolve, reject })
      schedule()
    })
}
