import { Argument, type Command } from 'commander';
import { bashCompletion } from './completion-bash.ts';
import { fishCompletion } from './completion-fish.ts';
import { completionTree } from './completion-tree.ts';
import { zshCompletion } from './completion-zsh.ts';
import { examples } from './options.ts';
import { say } from './terminal.ts';

const SHELLS = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion } as const;

/**
 * Made anew from the commands at each call: a shell that reads it when it starts completes what
 * this version can.
 */
export function addCompletionCommand(program: Command): void {
  const summary = 'print a script that lets a shell complete commands, options and names';
  const completion = program
    .command('completion')
    .summary(summary)
    .description(
      `${summary}.\nNames of accounts, users, roles, teams, applications and contexts are asked for where the line says\nor the context in use: at most 100, within 2 s (SALLYPORT_COMPLETE_MS), and silently none where\nthat takes longer or somebody would have to be asked. Over --server it counts as a request.`,
    )
    .addArgument(new Argument('<shell>', 'the shell').choices(Object.keys(SHELLS)))
    .action((shell: keyof typeof SHELLS) => say(SHELLS[shell](completionTree(program)).trimEnd()));
  examples(
    completion,
    "echo 'source <(sallyport completion bash)' >> ~/.bashrc",
    "echo 'source <(sallyport completion zsh)' >> ~/.zshrc",
    'sallyport completion fish > ~/.config/fish/completions/sallyport.fish',
  );
}
