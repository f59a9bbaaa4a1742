import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { createDevice, type Device } from '../../simulator/device.ts'
import { linkOf } from '../../src/cli/demo.ts'
import { deviceAlias } from '../../src/trust/alias.ts'
import { type Installation, idOf, startInstallation } from '../support/installation.ts'
import { createOperator } from '../support/operator.ts'
import { openBrowser, openTab, skip, type Tab } from './browser.ts'

/** The day of an operator with the sealed directory, in Chromium, against every compartment. */
let installation: Installation
let browser: Browser
let tab: Tab
let phone: Device
let alias = ''
let posted = ''
const LONG = { timeout: 30_000 }

before(async () => {
  if (skip) return
  installation = await startInstallation()
  phone = createDevice({ seed: 'people', model: 'iphone', keyType: 'ec' })
  await phone.enrol((await createOperator(installation).invite({})).profileUrl)
  alias = deviceAlias(idOf(phone))
  browser = await openBrowser()
  tab = await openTab(browser)
  tab.page.on('request', request => {
    posted += `${request.url()} ${request.postData() ?? ''}\n`
  })
})
after(async () => {
  phone?.close()
  await browser?.close()
  await installation?.stop()
})

const press = (page: Page, name: string | RegExp) => page.getByRole('button', { name }).click()
const heading = (page: Page, name: string | RegExp) => page.getByRole('heading', { level: 1, name }).waitFor(LONG)
const left = async (page: Page) =>
  (await page.getByRole('status', { name: 'What is left' }).innerText()).replaceAll(/\s+/g, ' ')
const shot = async (name: string) => {
  if (process.env.SHOTS) await tab.page.screenshot({ path: join(process.env.SHOTS, `${name}.png`), fullPage: true })
}

/** What axe says of the page as it stands; in a dialogue with the browser, which the page's policy does not bind. */
const axe = await readFile(new URL('../../node_modules/axe-core/axe.min.js', import.meta.url), 'utf8').catch(() => '')
async function look(name: string) {
  await shot(name)
  if (axe === '') return
  await tab.page.evaluate(axe)
  const violations = await tab.page.evaluate(async () => {
    // What a screen reader is told in passing is not a part of the page.
    const { violations } = await (globalThis as unknown as { axe: Axe }).axe.run({ exclude: ['[data-live-announcer]'] })
    return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 200)).join(' ')}`)
  })
  faults.push(...violations.map(violation => `${name}: ${violation}`))
}
type Axe = { run(context: object): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> }
const faults: string[] = []

const NAMES = ['Marguerite Oyelaran', 'Łukasz Żółć', 'Ada Ngongo', 'Siân O’Brien', 'Zoë van der Meulen']
/** Forty people, five of them told apart by name. */
const table = () =>
  [
    'email;Given name;family name;mobile;cost centre;office',
    ...Array.from({ length: 40 }, (_, at) => {
      const [given, ...family] = (NAMES[at] ?? `Person${at} Example${at}`).split(' ')
      return `p${at}@example.org;${given};${family.join(' ')};0470 12 ${at + 10} ${at + 11};C${at};Floor ${at % 4}`
    }),
  ].join('\n')

async function importTable(page: Page, text: string) {
  const file = join(installation.home, 'staff.csv')
  writeFileSync(file, text)
  const chosen = page.waitForEvent('filechooser')
  await press(page, /Choose a(nother)? file/)
  await (await chosen).setFiles(file)
}

test('an empty directory says how people come in', { skip }, async () => {
  const { page } = tab
  await page.goto(`${installation.urls.app}/sign-in#passkey=${linkOf(installation.passkey)}`)
  await press(page, 'Sign in as test-owner')
  await heading(page, 'Devices')
  await page.getByRole('link', { name: 'People', exact: true }).click()
  await page.getByText('How people come in, and stay unreadable').waitFor()
  await look('empty')
  await page.getByRole('link', { name: 'Import a table' }).click()
  await heading(page, 'Import people')
})

test('a table with mistakes is shown line by line, and nothing of it is imported', { skip }, async () => {
  const { page } = tab
  await importTable(page, table().replace('p3@example.org', 'nowhere').replace('p7@example.org', 'p8@example.org'))
  const mistakes = page.getByRole('table', { name: 'Mistakes' })
  await mistakes.getByText('It is no e-mail address.').waitFor()
  await mistakes.getByText('The same person as in line 9.').waitFor()
  await look('mistakes')
  assert.equal(await page.getByRole('button', { name: 'Seal and import them' }).count(), 0)
})

test('a unit whose key is not sealed to the passkey opens with recovery shares, and only with enough of them', {
  skip,
}, async () => {
  const { page } = tab
  await page.getByRole('textbox', { name: /Country code/ }).fill('32')
  await importTable(page, table())
  await page.getByRole('row', { name: 'cost centre left aside' }).waitFor()
  await press(page, 'Unlock with your passkey')
  await page.getByText('The key of root is not sealed to this passkey.').waitFor()
  await press(page, 'Open it with recovery shares …')
  const share = (at: number) => readFileSync(`${installation.passkey}.recovery-${at}.txt`, 'utf8')
  await page.getByRole('textbox', { name: 'Share 1 of 2' }).fill(share(3))
  await page.getByRole('textbox', { name: 'Share 2 of 2' }).fill(share(3))
  await press(page, 'Open it and seal it to my passkey')
  await page.getByText('2 different shares are needed; 1 was given.').waitFor()
  await look('recover')
  await page.getByRole('textbox', { name: 'Share 2 of 2' }).fill(share(1).toLowerCase())
  await press(page, 'Open it and seal it to my passkey')
  await page.getByRole('heading', { name: 'Import 40 people into root' }).waitFor()
})

test('a sound table is mapped, sealed in the browser and imported', { skip }, async () => {
  const { page } = tab
  await look('import')
  await press(page, 'Seal and import them')
  await heading(page, 'They are in the directory')
  await look('imported')
  await page.getByRole('link', { name: 'Show the directory' }).click()
  await page.getByText('40 people, by alias. Page 1 of 2.').waitFor()
})

test('names show for a purpose and a number of people, and the screen says how many are left', { skip }, async () => {
  const { page } = tab
  const list = page.getByRole('table', { name: 'People' })
  assert.equal(await list.getByText('sealed').count(), 25)
  assert.equal(await page.getByRole('button', { name: 'Show names on this page' }).isDisabled(), true)
  await look('sealed')
  await page.getByLabel('For how many people at most').fill('30')
  await press(page, 'Sign the grant with your passkey')
  assert.match(await left(page), /^30 of 30 left in this grant$/)
  await press(page, 'Show names on this page')
  await list.getByText('@example.org').first().waitFor()
  assert.equal(await list.getByText('@example.org').count(), 25)
  assert.match(await left(page), /5 of 30 left in this grant 25 of 50 left this hour 175 of 200 left today/)
  await look('names')
  await press(page, 'Next page')
  await page.getByText('Page 2 of 2').waitFor()
  assert.equal(await list.getByText('@example.org').count(), 0)
  await press(page, 'Show names on this page')
  await page.getByText('The grant is for 30 people, and this would make 40.').waitFor()
  await look('limit')
})

test('a search finds by the beginning of a name, without its accents', { skip }, async () => {
  const { page } = tab
  await press(page, 'Sign another one')
  await page.getByLabel('For how many people at most').fill('50')
  await press(page, 'Sign the grant with your passkey')
  await page.getByText('50 of 50 left in this grant').waitFor()
  const search = page.getByRole('searchbox', { name: /Search by name/ })
  await search.fill('margue')
  await press(page, 'Search')
  await page.getByText('1 person found.').waitFor()
  await page.getByRole('row', { name: /Marguerite Oyelaran/ }).waitFor()
  await search.fill('zolc luk')
  await press(page, 'Search')
  await page.getByRole('row', { name: /Łukasz Żółć/ }).waitFor()
  await look('search')
})

test('a device is handed over under the alias, and names are gone from a page that was left', { skip }, async () => {
  const { page } = tab
  await page
    .getByRole('row', { name: /Łukasz Żółć/ })
    .getByRole('link')
    .click()
  await page.getByRole('heading', { name: 'Name and contact' }).waitFor()
  assert.equal(await page.getByText('Łukasz').count(), 0)
  await press(page, 'Hand over a device')
  await page.getByRole('searchbox', { name: 'Alias of the device' }).fill(alias.slice(0, 6))
  await look('handover')
  await press(page, `Hand over ${alias}`)
  await page.getByRole('link', { name: alias }).waitFor()
  await press(page, 'Take back')
  await page.getByText('None was handed over to this person.').waitFor()
  await press(page, 'Hand over a device')
  await press(page, `Hand over ${alias}`)
  await page.getByRole('link', { name: alias }).waitFor()
})

test('one person is changed; a second change on top of an older version overwrites nothing', { skip }, async () => {
  const { page } = tab
  await press(page, 'Show this person')
  await page.getByText('Łukasz Żółć').waitFor()
  await look('person')
  await press(page, 'Change')
  await page.getByRole('textbox', { name: 'Mobile' }).fill('nonsense')
  await page.getByText('Mobile: It is no telephone number.').waitFor()
  await page.getByRole('textbox', { name: 'Mobile' }).fill('+32 470 99 88 77')
  await page.getByRole('textbox', { name: 'Office' }).fill('Annexe')
  await look('edit')
  await press(page, 'Seal and save')
  await page.getByRole('definition').getByText('2', { exact: true }).waitFor()
  await press(page, 'Show this person')
  await page.getByText('+32470998877').waitFor()
  await press(page, 'Change')
  // What another operator's write comes to: the server is a version further than this page.
  await page.route('**/api/people/write', route =>
    route.fulfill({
      status: 409,
      json: { code: 'CONFLICT', message: 'records[0]: Version 3 does not follow version 3.', remedy: 'Read it again.' },
    }),
  )
  await press(page, 'Seal and save')
  await page.getByText('Somebody else has changed this person meanwhile. Nothing of yours was saved').waitFor()
  await page.unroute('**/api/people/write')
  await press(page, 'Do not change')
})

test('a leaver is erased for good, and their device is nobody’s', { skip }, async () => {
  const { page } = tab
  await page.getByText('Erase this person, for somebody who leaves').click()
  await page.getByText('The devices of this person become nobody’s').waitFor()
  const erase = page.getByRole('button', { name: 'Erase with your passkey' })
  assert.equal(await erase.isDisabled(), true)
  await page.getByText('I know that this cannot be undone').click()
  await look('erase')
  await erase.click()
  await page.getByText('39 people, by alias.').waitFor(LONG)
  await page.getByRole('searchbox', { name: /Search by name/ }).fill('lukasz')
  await press(page, 'Search')
  await page.getByText('Nobody fits.').waitFor()
})

test('people whom a feeder wrote become findable once their names are shown to somebody who writes here', {
  skip,
}, async () => {
  const { page } = tab
  await press(page, 'Back to everybody')
  const id = new URL(
    (await page.getByRole('table', { name: 'People' }).getByRole('link').first().getAttribute('href'))!,
    page.url(),
  ).pathname
    .split('/')
    .at(-1)
  await installation.database.query('update console.record set tokens = null where record_id = $1', [id])
  await page.getByRole('link', { name: 'Devices', exact: true }).click()
  await page.getByRole('link', { name: 'People', exact: true }).click()
  await page.getByText('1 person on this page cannot be found by search yet.').waitFor()
  await look('unindexed')
  await press(page, 'Show names on this page')
  await page.getByText('cannot be found by search yet').waitFor({ state: 'detached' })
  const { rows } = await installation.database.query('select tokens from console.record where record_id = $1', [id])
  assert.ok(rows[0].tokens.length > 5)
  await press(page, 'Hide the names')
})

test('the directory locks itself when it is told to, and with it everything that was shown', { skip }, async () => {
  const { page } = tab
  await press(page, 'Show names on this page')
  await page.getByText('@example.org').first().waitFor()
  await press(page, 'Lock now')
  await page.getByRole('heading', { name: 'The directory is locked' }).waitFor()
  assert.equal(await page.getByText('@example.org').count(), 0)
  await look('locked')
})

test('once it is sealed to the passkey, one gesture unlocks it, and a reload locks it', { skip }, async () => {
  const { page } = tab
  await press(page, 'Unlock with your passkey')
  await page.getByText('root is unlocked').waitFor()
  await page.reload()
  await page.getByRole('heading', { name: 'The directory is locked' }).waitFor()
})

test('on a telephone nothing is cut off', { skip }, async () => {
  const { page } = tab
  await page.setViewportSize({ width: 390, height: 844 })
  await press(page, 'Unlock with your passkey')
  await press(page, 'Sign the grant with your passkey')
  await press(page, 'Show names on this page')
  await page.getByText('@example.org').first().waitFor()
  await look('narrow')
  assert.equal(await page.evaluate('document.documentElement.scrollWidth'), 390)
})

test('left alone for a quarter of an hour it locks itself, and what it showed is gone', { skip }, async () => {
  const { page } = tab
  await page.clock.install()
  await page.clock.fastForward('14:00')
  assert.ok((await page.getByText('@example.org').count()) > 0)
  await page.clock.fastForward('02:00')
  await page.getByRole('heading', { name: 'The directory is locked' }).waitFor()
  assert.equal(await page.getByText('@example.org').count(), 0)
})

test('nothing of a person was sent or stored in clear, and the pages keep to their own policy', { skip }, async () => {
  const kept = await tab.page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }]))
  assert.ok(posted.includes('/api/people/write'))
  for (const text of ['oyelaran', 'marguer', 'example.org', '470998877', 'zolc luk'])
    for (const where of [posted, kept]) assert.ok(!where.toLowerCase().includes(text), `${text} is in clear`)
  assert.deepEqual(tab.complaints, [])
})

test('axe finds nothing on any of these pages', { skip: skip || (axe === '' && 'axe-core is missing: npm ci') }, () => {
  assert.deepEqual(faults, [])
})
