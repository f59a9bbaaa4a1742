import { fileURLToPath } from 'node:url'
import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))

/**
 * Everything is a file of the app's own origin: its policy allows no inline script, style or data address. The server's own code judges the
 * control log here too (src/judge.ts), and what it takes from Node has a small stand-in.
 */
export default defineConfig({
  plugins: [react()],
  resolve: { alias: { 'node:crypto': here('./src/node/crypto.ts'), 'node:buffer': here('./src/node/buffer.ts') } },
  build: {
    target: 'es2023',
    cssCodeSplit: false,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 1500,
  },
})
