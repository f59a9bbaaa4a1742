import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createFleet } from '../../simulator/fleet.ts'
import { socketPath } from '../../src/cli/home.ts'
import { ledgerClient } from '../../src/ledger/client.ts'
import { type Installation, startInstallation, until } from '../support/installation.ts'
import { createOperator, type Operator } from '../support/operator.ts'

/** Enrolments have a rate of their own, which the ledger counts. */
let installation: Installation
let owner: Operator
before(async () => {
  const enrol = { devices: 2, seconds: 3600 }
  installation = await startInstallation({ policy: { budgets: { enrol } } })
  owner = createOperator(installation)
})
after(() => installation?.stop())

async function findings(): Promise<string[]> {
  const ledger = ledgerClient({ path: socketPath(installation.home, 'ledger', 'cli') })
  const codes: string[] = []
  try {
    for (let index = 0; ; index++) {
      const { type, code } = JSON.parse((await ledger.entry({ log: 'main', index })).entry)
      if (type === 'finding') codes.push(code)
    }
  } catch {
    return codes
  } finally {
    ledger.close()
  }
}

test('more devices than the rate are asked to come again, after a restart of the ledger too, and somebody is told', async () => {
  const { profileUrl } = await owner.invite({ uses: 10 })
  const { devices } = await createFleet({ count: 4, seed: 'rate', parallel: 1 })
  for (const device of devices.slice(0, 2)) await device.enrol(profileUrl)
  await assert.rejects(devices[2]!.enrol(profileUrl), /503/)
  const [before] = installation.pids('ledger')
  process.kill(before!, 'SIGKILL')
  await until(() => installation.pids('ledger').some(pid => pid !== before))
  const used = async () =>
    (await installation.console.get<{ invitations: { used: number }[] }>('/api/invitations')).invitations[0]!.used
  assert.equal(await until(() => used().catch(() => 0)), 2) // the ledger is there again
  await assert.rejects(devices[3]!.enrol(profileUrl), /503/)
  assert.ok(await until(async () => (await findings()).includes('enrolment-budget')))
  assert.equal(await used(), 2)
  for (const device of devices) device.close()
})
