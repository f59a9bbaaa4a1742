import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { isRoot } from '../src/cli/home.ts'
import { type CompartmentName, compartment } from '../src/supervisor/compartments.ts'

// An attacker's script in the place of a compartment: as its operating-system user, with the files, sockets and credentials that it has,
// and without Node's permissions. Where users are not separate it runs as this one, and the drill says which figures then say nothing.

const root = resolve(import.meta.dirname, '..')

function lineFor(name: CompartmentName, script: string, words: readonly string[]): [string, string[]] {
  const line = ['--disable-warning=ExperimentalWarning', resolve(root, script), ...words]
  if (!isRoot()) return [process.execPath, line]
  const { uid } = compartment(name)
  return ['setpriv', [`--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', process.execPath, ...line]]
}

/** What it wrote, as JSON. */
export async function runAs<T>(name: CompartmentName, script: string, ...words: string[]): Promise<T> {
  const [file, line] = lineFor(name, script, words)
  const { stdout } = await promisify(execFile)(file, line, { env: {}, maxBuffer: 512 * 1024 * 1024, timeout: 120_000 })
  return JSON.parse(stdout) as T
}

/** Stays until it is stopped, and answers each JSON line with one. */
export async function keepAs(name: CompartmentName, script: string, ...words: string[]) {
  const [file, line] = lineFor(name, script, words)
  const child = spawn(file, line, { env: {}, stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const next = async () => {
    const { value, done } = await lines.next()
    if (done) throw new Error(`${script} has ended.`)
    return JSON.parse(value)
  }
  await next()
  return {
    async ask<T>(command: object): Promise<T> {
      child.stdin.write(`${JSON.stringify(command)}\n`)
      return (await next()) as T
    },
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return
      const exit = once(child, 'exit')
      child.stdin.end()
      await exit
    },
  }
}
