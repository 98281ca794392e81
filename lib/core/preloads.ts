/** NODE_OPTIONS without what would load other code into a thread or process. */
export function withoutPreloads(options: string): string {
  return options
    .replace(/(?<=^|\s)(?:--import|--require|-r|--loader|--experimental-loader)(?:=|\s+)(?:"[^"]*"|\S+)/g, '')
    .trim()
}
