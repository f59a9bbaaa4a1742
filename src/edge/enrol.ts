import qrcode from 'qrcode-generator'
import type { InvitationPage } from '../vault/api.ts'
import { CAPABILITIES } from '../wire/scep/vocabulary.ts'
import type { Context } from './context.ts'
import { type Passed, passEnrolmentProfile, passPage, passPki } from './turnstile.ts'

/** The enrolment profile. A GET uses nothing up: only an issued certificate does. */
export async function enrolmentProfile(invitation: string, context: Context): Promise<Passed> {
  const { statement, approval, ...parts } = await context.vault.enrolmentProfile(invitation)
  return passEnrolmentProfile(parts, statement, approval, context.gate.now(), context.trusted)
}

/** SCEP (RFC 8894). The edge reads nothing of it but the operation's name: the envelope goes on as it came. */
export async function scep(
  path: string,
  operation: string,
  message: Buffer,
  context: Context,
): Promise<Passed | undefined> {
  if (operation === 'GetCACaps') return passPki(Buffer.from(CAPABILITIES), 'text/plain')
  if (operation === 'GetCACert') return passPki(await context.vault.caCertificates(), 'application/x-x509-ca-ra-cert')
  if (operation === 'PKIOperation') return passPki(await context.vault.scep(path, message), 'application/x-pki-message')
  return undefined
}

/** What a person sees who opens the link of an invitation. */
export async function invitationPage(invitation: string, url: string, context: Context): Promise<Passed> {
  return passPage(page(await context.vault.invitationPage(invitation), url))
}

const words: Record<InvitationPage['tier'], { can: string[]; cannot: string[] }> = {
  private: {
    can: [
      'see the model, the system version and which profiles are installed',
      'install settings and work apps',
      'lock the device, for example when it is lost',
    ],
    cannot: [
      'erase the device: it refuses the EraseDevice command',
      'learn its phone number, SIM or network addresses',
      'read messages, photos or calls',
    ],
  },
  'no-wipe': {
    can: [
      'see the model, the system version, the phone number and the network addresses',
      'install settings and work apps',
      'lock the device',
    ],
    cannot: ['erase the device: it refuses the EraseDevice command', 'read messages, photos or calls'],
  },
  full: {
    can: [
      'see the model, the system version, the phone number and the network addresses',
      'install settings and work apps',
      'lock and erase the device',
    ],
    cannot: ['read messages, photos or calls'],
  },
}

const state: Record<InvitationPage['state'], string> = {
  open: '',
  'used-up': 'This invitation was used up. Ask whoever sent it for a new one.',
  expired: 'This invitation has expired. Ask whoever sent it for a new one.',
}

function page(invitation: InvitationPage, url: string): string {
  const { can, cannot } = words[invitation.tier]
  const list = (items: string[]) => `<ul>${items.map(item => `<li>${item}</li>`).join('')}</ul>`
  const open = `<p><a class="button" href="${url}/profile">Get the profile</a></p>
<p>On a phone: open the downloaded profile in Settings and tap Install. On this screen you can also scan the picture with the phone.</p>
<div class="qr">${qr(url)}</div>
<p class="small">Valid until ${new Date(invitation.expiresAt * 1000).toISOString().slice(0, 16).replace('T', ' ')} UTC, for ${invitation.usesLeft} more ${invitation.usesLeft === 1 ? 'device' : 'devices'}.</p>`
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>Enrol your device</title>
<style>body{font:17px/1.5 system-ui,sans-serif;max-width:38rem;margin:2rem auto;padding:0 1rem;color:#1a2233}h1{font-size:1.6rem}.button{display:inline-block;background:#0b4ea2;color:#fff;padding:.7rem 1.2rem;border-radius:.5rem;text-decoration:none}.qr svg{width:12rem;height:12rem}.small{color:#51607a;font-size:.9rem}</style></head>
<body><h1>Enrol your device</h1>
<p>With this invitation your organisation's administrators may:</p>${list(can)}
<p>They cannot:</p>${list(cannot)}
<p class="small">These limits are part of the enrolment and enforced by the device. They can be narrowed later, never widened. Other settings that are installed later have limits of their own.</p>
${invitation.state === 'open' ? open : `<p><strong>${state[invitation.state]}</strong></p>`}
</body></html>`
}

function qr(url: string): string {
  const code = qrcode(0, 'M')
  code.addData(url)
  code.make()
  return code.createSvgTag({ cellSize: 4, margin: 8, scalable: true })
}
