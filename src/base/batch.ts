import { BulkheadError } from './errors.ts'

/** Gathers calls into batches: an item waits only while all `parallel` batches are under way. Each item gets its own result or error. */
export function batcher<In, Out>(options: {
  run: (items: In[]) => Promise<Out[]>
  most: number
  parallel: number
}): (item: In) => Promise<Out> {
  type Waiting = { item: In; resolve: (value: Out) => void; reject: (error: unknown) => void }
  let queue: Waiting[] = []
  let running = 0
  let scheduled = false

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
    setImmediate(() => {
      scheduled = false
      while (queue.length > 0 && running < options.parallel) {
        const batch = queue.slice(0, options.most)
        queue = queue.slice(options.most)
        void flush(batch)
      }
    })
  }
  return item =>
    new Promise((resolve, reject) => {
      queue.push({ item, resolve, reject })
      schedule()
    })
}
