import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { BulkheadError } from '../base/errors.ts'
import { commonFlags } from '../supervisor/flags.ts'
import { programRoot } from '../supervisor/program.ts'
import { type Args, takeHome } from './args.ts'

const signals = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const

/** Runs a TypeScript file under Node 26 with our flags. The rest of the line, `--home` included, is the file's own. */
export async function run(line: string[] | Args): Promise<number> {
  const [name = '', ...rest] = Array.isArray(line) ? line : [...line.words, '--home', line.home]
  if (name === '' || name.startsWith('-'))
    throw new BulkheadError('USAGE', 'bulkhead run needs a file.', { remedy: 'Write: bulkhead run FILE …' })
  takeHome(rest) // a --home without a folder is refused here
  const path = [resolve(name), join(programRoot, name)].find(candidate => existsSync(candidate))
  if (path === undefined)
    throw new BulkheadError('NOT_FOUND', `There is no file ${name}.`, { remedy: 'Name a TypeScript file.' })
  const child = spawn(process.execPath, [...commonFlags, path, ...rest], { stdio: 'inherit' })
  for (const signal of signals) process.on(signal, () => void child.kill(signal))
  return new Promise((settle, reject) => {
    child.once('error', reject)
    child.once('exit', (status, signal) => settle(status ?? (signal === 'SIGINT' ? 130 : 143)))
  })
}
