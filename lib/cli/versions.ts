import { createRequire } from 'node:module'

/** What runs here. */
export function versions(): { readonly mintaka: string; readonly node: string; readonly platform: string } {
  const { version } = createRequire(import.meta.url)('mintaka/package.json') as { version: string }
  return { mintaka: version, node: process.versions.node, platform: `${process.platform} ${process.arch}` }
}

export function versionText(): string {
  return Object.entries(versions())
    .map(([name, value]) => `${name.padEnd(9)} ${value}`)
    .join('\n')
}
