import type { Command } from 'commander'
import { scripts } from './complete/scripts.js'
import { choiceArgument } from './options.js'

export function define(command: Command): void {
  command
    .addArgument(choiceArgument('<shell>', 'the shell that you use', Object.keys(scripts)))
    .addHelpText('after', help)
    .action((shell: keyof typeof scripts) => void process.stdout.write(scripts[shell]))
}

const help = `
Then Tab completes commands, options and their values, flow runs by name and id, deployments, flows and files.

Examples:
  $ mintaka completion fish >~/.config/fish/completions/mintaka.fish    once
  $ eval "$(mintaka completion bash)"                                   in ~/.bashrc
  $ eval "$(mintaka completion zsh)"                                    in ~/.zshrc, after compinit`
