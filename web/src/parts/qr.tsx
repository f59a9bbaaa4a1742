import qrcode from 'qrcode-generator'

const QUIET = 4 // modules of white around it, which readers need

/** A QR code as one path: dark on white in every theme, since readers expect that. */
export function QrCode({ text, label }: { text: string; label: string }) {
  const code = qrcode(0, 'M')
  code.addData(text)
  code.make()
  const size = code.getModuleCount()
  const places = Array.from({ length: size }, (_, at) => at)
  const path = places
    .flatMap(y => places.filter(x => code.isDark(y, x)).map(x => `M${x + QUIET} ${y + QUIET}h1v1h-1z`))
    .join('')
  const whole = size + 2 * QUIET
  return (
    <svg className="qr" viewBox={`0 0 ${whole} ${whole}`} role="img" aria-label={label} shapeRendering="crispEdges">
      <rect className="qr-light" width={whole} height={whole} />
      <path className="qr-dark" d={path} />
    </svg>
  )
}
