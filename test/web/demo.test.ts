import assert from 'node:assert/strict'
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { DeviceLine, DevicePage } from '../../src/console/api.ts'
import { deviceAlias } from '../../src/trust/alias.ts'
import { bulkhead, cli } from '../support/installation.ts'
import { openBrowser, openTab, skip } from './browser.ts'

/** What a newcomer sees first: `npm start`, the link it prints, and the office behind it. */
const folder = mkdtempSync(join(tmpdir(), 'bh-demo-'))
chmodSync(folder, 0o755)
const home = join(folder, 'h')
const root = resolve(import.meta.dirname, '../..')
let demo: ChildProcess
let said = ''
after(async () => {
  await close()
  rmSync(folder, { recursive: true, force: true })
})

async function open() {
  said = ''
  let ready = ''
  demo = spawn(bulkhead, ['demo', '--home', home, '--app-port', '0'], { stdio: ['ignore', 'pipe', 'pipe'] })
  demo.stderr!.on('data', chunk => {
    said += chunk
  })
  demo.stdout!.on('data', chunk => {
    ready += chunk
  })
  for (const late = Date.now() + 120_000; !ready.includes('\n'); await sleep(50))
    if (demo.exitCode !== null || Date.now() > late) throw new Error(`The demo did not open: ${said}`)
}

async function close() {
  if (demo.exitCode !== null) return
  demo.kill('SIGTERM')
  await once(demo, 'close')
  assert.match(said, /^Stopped\.$/m)
}

const ask = async <T>(...line: string[]): Promise<T> => JSON.parse(await cli([...line, '--home', home, '--json'])) as T
const list = async () => new Map((await ask<DeviceLine[]>('device', 'list')).map(line => [line.device, line]))
const page = (device: string) => ask<DevicePage>('device', 'show', device)
type Register = { people: number; devices: { device: string; state: string; person?: string }[] }
const register = () => JSON.parse(readFileSync(join(home, 'demo/office.json'), 'utf8')) as Register

test('the demo opens an office of 40 people and 60 devices in named states, and says that its passkeys are for trying out', async () => {
  await open()
  assert.match(said, /software passkey: a key in a file, good for trying out, never for real devices/)
  assert.match(said, /A witness cosigns .* In production it must live in other hands/)
  const { people, devices } = register()
  assert.equal(people, 40)
  assert.equal(devices.length, 60)
  assert.ok(new Set(devices.flatMap(({ person }) => person ?? [])).size >= 30)
  const directory = await ask<{ total: number; people: { alias: string; devices: unknown[] }[] }>('people', 'list')
  assert.equal(directory.total, 40)
  assert.ok(directory.people.every(({ devices: held }) => held.length > 0))
  assert.ok(devices.every(({ person }) => !person || directory.people.some(({ alias }) => alias === person)))
  const { main } = await ask<{ main: string }>('ledger', 'url')
  for (const late = Date.now() + 20_000; !(await fetch(`${main}/checkpoint.cosigned`)).ok; await sleep(200))
    assert.ok(Date.now() < late, 'The witness of the demo has cosigned nothing.')
  const shown = await list()
  const inState = (state: string) => devices.filter(one => one.state === state).map(({ device }) => device)
  assert.ok(inState('silent').every(device => shown.get(device)!.state === 'silent'))
  assert.ok(inState('lost').every(device => shown.get(device)!.state === 'lost'))
  assert.ok(inState('in use').every(device => shown.get(device)!.state === 'enrolled'))
  const [fresh, busy, ending, used] = await Promise.all(
    ['just enrolled', 'not now', 'certificate about to expire', 'in use'].map(state => page(inState(state)[0]!)),
  )
  assert.deepEqual([fresh!.orders[0]!.state, busy!.orders[0]!.state], ['pending', 'not-now'])
  assert.ok(new Date(ending!.certificateExpires!).getTime() < Date.now() + 30 * 86_400_000)
  assert.ok(new Date(used!.certificateExpires!).getTime() > Date.now() + 300 * 86_400_000)
  assert.ok(Object.keys(used!.facts).length > 5)
})

test('the printed link signs in with the software passkey, the page says so, and what it approves reaches the devices', {
  skip,
}, async () => {
  const browser = await openBrowser()
  try {
    const { page: tab, complaints } = await openTab(browser)
    await tab.goto(/http:\S+#passkey=\S+/.exec(said)![0])
    assert.ok(!tab.url().includes('passkey='), 'the key stays in the address')
    await tab.getByRole('button', { name: 'Sign in as demo-owner' }).click()
    await tab.getByText('A software passkey signs here').waitFor()
    await tab.getByRole('link', { name: 'Orders' }).click()
    await tab.getByRole('combobox', { name: 'State' }).selectOption('Standing')
    await tab.getByRole('table', { name: 'Orders' }).getByText('Standing').waitFor()
    assert.equal(await tab.getByRole('table', { name: 'Orders' }).getByRole('link').count(), 1)
    await tab.getByRole('combobox', { name: 'State' }).selectOption('All')
    await tab.getByRole('link', { name: 'Restart', exact: true }).click()
    await tab.getByRole('button', { name: 'Approve with your passkey' }).click()
    await tab.getByText('Done').first().waitFor()
    assert.deepEqual(complaints, [])
  } finally {
    await browser.close()
  }
})

test('the link works in a tab that shows the sign-in page already, and one that was cut short says so', {
  skip,
}, async () => {
  const link = /http:\S+#passkey=\S+/.exec(said)![0]
  const browser = await openBrowser()
  try {
    const { page: tab } = await openTab(browser)
    await tab.goto(link.slice(0, link.indexOf('#')))
    await tab.getByRole('button', { name: 'Sign in with your passkey' }).waitFor()
    await tab.goto(link.slice(0, link.indexOf('#') + 30)) // of the same page: only the fragment changes
    await tab.getByText('This passkey is damaged').waitFor()
    await tab.goto(link.slice(0, -40))
    await tab.getByRole('button', { name: 'Sign in as demo-owner' }).click()
    await tab.getByText('Copy the whole link').waitFor()
    assert.ok(!tab.url().includes('passkey='), 'the key stays in the address')
    await tab.goto(link)
    await tab.getByRole('button', { name: 'Sign in as demo-owner' }).click()
    await tab.getByRole('heading', { name: 'Devices' }).waitFor()
    assert.ok(!tab.url().includes('passkey='), 'the key stays in the address')
  } finally {
    await browser.close()
  }
})

test('addresses that name nothing say so, with the way back', { skip }, async () => {
  const browser = await openBrowser()
  try {
    const { page: tab } = await openTab(browser)
    const { origin } = new URL(/http:\S+(?=#passkey)/.exec(said)![0])
    await tab.goto(/http:\S+#passkey=\S+/.exec(said)![0])
    await tab.getByRole('button', { name: 'Sign in as demo-owner' }).click()
    await tab.getByRole('heading', { name: 'Devices' }).waitFor()
    for (const [path, title, back, list] of [
      ['/orders/nope', 'There is no such order', 'Show all orders', 'Orders'],
      ['/devices/lobu-kate-rimo', 'There is no such device', 'Show all devices', 'Devices'],
    ] as const) {
      await tab.goto(origin + path)
      await tab.getByRole('heading', { name: title }).waitFor()
      assert.equal(await tab.getByText('See: bulkhead').count(), 0)
      await tab.getByRole('link', { name: back }).click()
      await tab.getByRole('heading', { name: list, exact: true }).waitFor()
    }
    await tab.goto(`${origin}/devices`)
    await tab.getByRole('table', { name: 'Devices' }).waitFor()
  } finally {
    await browser.close()
  }
})

test('a wrong field is told what it should be, the button stays where it is when the words go, and a refused order is called so', {
  skip,
}, async () => {
  const browser = await openBrowser()
  try {
    const { page: tab } = await openTab(browser)
    const second = join(home, 'demo/demo-second.passkey')
    const { origin } = new URL(/http:\S+(?=#passkey)/.exec(said)![0])
    await tab.goto(/http:\S+#passkey=\S+/.exec(said)![0])
    await tab.getByRole('button', { name: 'Sign in as demo-owner' }).click()
    await tab.getByRole('heading', { name: 'Devices' }).waitFor()
    const { device } = register().devices.find(({ state }) => state === 'in use')!
    await tab.goto(`${origin}/orders/new?device=${device}`)
    await tab.getByText('Lock', { exact: true }).click()
    const pin = tab.getByRole('textbox', { name: /PIN/ })
    const button = tab.getByRole('button', { name: 'Draft it' })
    await pin.fill('12')
    await tab.getByRole('textbox', { name: 'Reason' }).fill('A check')
    await button.click()
    await tab.getByText('Write exactly six digits.').waitFor()
    const place = await button.boundingBox()
    await pin.fill('042719')
    await pin.blur()
    await tab.getByText('Write exactly six digits.').waitFor({ state: 'detached' })
    assert.deepEqual(await button.boundingBox(), place)
    await tab.getByText('Another command, by its protocol name').click()
    await tab.getByRole('textbox', { name: 'RequestType' }).fill('DeviceInfo')
    await button.click()
    await tab.getByText('Did you mean DeviceInformation?').waitFor()
    await tab.getByText('It is newer than this program').click()
    await button.click() // one click, though the field before it lost the focus
    await tab.getByText('No such command is known here').waitFor()
    for (const warning of ['I know that this cannot be undone', 'I know what this command does: this page does not'])
      await tab.getByText(warning).click()
    await tab.getByRole('button', { name: 'Approve with your passkey' }).click()
    await tab.getByText('It waits for another member').waitFor()
    const order = new URL(tab.url()).pathname.split('/').at(-1)!
    await promisify(execFile)(bulkhead, ['order', 'approve', order, '--home', home, '--passkey', second])
    await tab.getByText('Done, 1 refused').waitFor()
    await tab.getByText('It does not know this command (MCMDMErrorDomain 12021)').waitFor()
  } finally {
    await browser.close()
  }
})

test('started while it is open, it shows the link again and starts nothing', async () => {
  const { stderr } = await promisify(execFile)(bulkhead, ['demo', '--home', home])
  assert.match(stderr, /open already/)
  assert.equal(/http:\S+#passkey=\S+/.exec(stderr)![0], /http:\S+#passkey=\S+/.exec(said)![0])
  assert.ok(stderr.includes(join(home, 'demo/owner.passkey')))
})

test('the link of an invitation is enough for a simulated device, and a used-up one says so', async () => {
  const { url } = await ask<{ url: string }>(
    ...['invite', 'create', '--uses', '1', '--passkey', join(home, 'demo/owner.passkey')],
  )
  const enrol = () => cli(['run', join(root, 'simulator/main.ts'), 'mac', '--url', url, '--once'])
  assert.match(await enrol(), /Enrolled in/)
  await assert.rejects(enrol, /The invitation is used up/)
})

test('a passkey file of somebody else opens nothing', { skip }, async () => {
  const stranger = join(folder, 'stranger.passkey')
  await cli(['passkey', 'create', stranger, '--alias', 'demo-owner'])
  const browser = await openBrowser()
  try {
    const { page: tab } = await openTab(browser)
    await tab.goto(/http:\S+(?=#passkey)/.exec(said)![0])
    const chosen = tab.waitForEvent('filechooser')
    await tab.getByRole('button', { name: 'Use a software passkey …' }).click()
    await (await chosen).setFiles(stranger)
    await tab.getByText('no member of this installation').waitFor()
    await (async () => {
      const again = tab.waitForEvent('filechooser')
      await tab.getByRole('button', { name: 'Use a software passkey …' }).click()
      await (await again).setFiles(join(home, 'demo/owner.passkey'))
      await tab.getByRole('heading', { name: 'Devices' }).waitFor()
    })()
  } finally {
    await browser.close()
  }
})

test('opened again, it is the same office, and its devices still come', async () => {
  const before = register().devices.map(({ device }) => device)
  await close()
  await open()
  assert.doesNotMatch(said, /Enrolling/)
  const shown = await list()
  assert.deepEqual(
    before.filter(device => !shown.has(device)),
    [],
  )
  assert.equal(shown.size, 61) // one more came by a link
  const { device } = register().devices.find(({ state }) => state === 'in use')!
  const { order } = await ask<{ order: string }>(
    'order',
    'create',
    '--action',
    'SecurityInfo',
    '--device',
    device,
    '--reason',
    'a test',
  )
  await ask('order', 'approve', order, '--passkey', join(home, 'demo/owner.passkey'))
  for (const late = Date.now() + 30_000; ; await sleep(200)) {
    const { state } = await ask<{ state: string }>('order', 'show', order)
    if (state === 'done') break
    assert.ok(Date.now() < late, `${deviceAlias(device)} was not woken`)
  }
})

test('the demo never takes over an installation that somebody means', async () => {
  const meant = join(folder, 'meant')
  await cli(['init', '--home', meant, '--owner', 'owner-one', '--software-passkey', join(folder, 'one.passkey')])
  writeFileSync(join(meant, 'note'), '')
  await assert.rejects(cli(['demo', '--home', meant]), /CONFLICT/)
})
