/** `512 bytes`, `3.2 MiB`. */
export function bytesText(bytes: number): string {
  if (bytes < 1024) return `${bytes} bytes`
  let size = bytes
  let unit = ''
  for (const next of ['KiB', 'MiB', 'GiB', 'TiB']) {
    if (unit !== '' && size < 1024) break
    size /= 1024
    unit = next
  }
  return `${size.toFixed(1)} ${unit}`
}
