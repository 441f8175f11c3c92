import { withoutTokens } from '../../telemetry/redact.ts';
import { readContexts } from './contexts-file.ts';
import { TOKEN_ENV } from './token-source.ts';

/**
 * The environment for a program that needs no token: without the variables from which this command
 * line or a context takes one, and without any whose value holds one.
 */
export function withoutSecrets(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const named = new Set([TOKEN_ENV, ...tokenVariables()]);
  return Object.fromEntries(
    Object.entries(env).filter(
      ([name, value = '']) => !named.has(name) && withoutTokens(value) === value,
    ),
  );
}

function tokenVariables(): readonly string[] {
  try {
    return Object.values(readContexts().contexts).flatMap((context) =>
      'tokenEnv' in context && context.tokenEnv !== undefined ? [context.tokenEnv] : [],
    );
  } catch {
    // Where they cannot be read no command takes a token by one; said by what needs one.
    return [];
  }
}
