import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { newAccountId } from '../../../src/account/id.ts';
import { newToken, parseToken } from '../../../src/account/token.ts';
import { projectFiles, read, readText } from '../../house/tree.ts';

/** What stands in the repository and looks like a token: nobody's. */
const SAMPLES = ['config/scanners/github.yaml', 'test/fuzz/api/values.ts'];

interface GitHubPattern {
  readonly secretFormat: string;
  readonly beforeSecret: string;
  readonly afterSecret: string;
  readonly testString: string;
}

const GITHUB = parse(read('config/scanners/github.yaml')) as GitHubPattern;

/** Each rule as one expression; its first group is the secret. */
const RULES: Readonly<Record<string, RegExp>> = {
  gitleaks: new RegExp(/^regex = '''(.*)'''$/m.exec(read('config/scanners/gitleaks.toml'))![1]!),
  GitHub: new RegExp(
    `(?:${inOurWords(GITHUB.beforeSecret)})(${GITHUB.secretFormat})(?:${inOurWords(GITHUB.afterSecret)})`,
  ),
  TruffleHog: new RegExp(
    (parse(read('config/scanners/trufflehog.yaml')) as TruffleHogRules).detectors[0]!.regex.token,
  ),
};

interface TruffleHogRules {
  readonly detectors: readonly { readonly regex: { readonly token: string } }[];
}

/** Ends of the text are `\A` and `\z` there. */
function inOurWords(pattern: string): string {
  return pattern.replaceAll('\\A', '^').replaceAll('\\z', '$');
}

function found(rule: RegExp, text: string): string | null {
  return rule.exec(text)?.[1] ?? null;
}

describe.each(Object.entries(RULES))('the rule for %s', (name, rule) => {
  const tokens = Array.from({ length: 500 }, () => newToken(newAccountId()));

  it('finds every token, wherever it stands', () => {
    const places = ['TOKEN', `x="TOKEN";`, 'Bearer TOKEN', 'a_TOKEN-b', '?t=TOKEN&u', '\tTOKEN\r'];
    for (const [index, token] of tokens.entries()) {
      const text = places[index % places.length]!.replace('TOKEN', () => token);
      expect(found(rule, text), text).toBe(token);
    }
  });

  it('finds nothing in what only resembles one', () => {
    for (const token of tokens.slice(0, 20))
      for (const text of [
        token.slice(0, -1),
        `${token}0`,
        `x${token}`,
        token.replace('slp_', 'slq_'),
        token.toUpperCase(),
        token.replace(/_(?=[^_]*$)/, '-'),
        `${token.slice(0, 40)}.${token.slice(41)}`,
        `${token.slice(0, 30)}\n${token.slice(30)}`,
      ])
        expect(found(rule, text), text).toBe(null);
  });

  it('finds nothing in this repository but what is declared as a sample', () => {
    const findings = projectFiles().filter((path) => {
      const text = readText(path);
      return text?.includes('slp_') === true && found(rule, text) !== null;
    });
    expect(findings.sort(), name).toEqual(SAMPLES);
  });
});

// GitHub's own engine tells matches that overlap.
describe.each(['gitleaks', 'TruffleHog'])('the rule for %s, in a list', (name) => {
  it('finds every token, whatever stands between them', () => {
    const tokens = Array.from({ length: 5 }, () => newToken(newAccountId()));
    for (const between of ['\n', ',', '" "', ';', ' ', '\r\n']) {
      const all = tokens.join(between).matchAll(new RegExp(RULES[name]!, 'g'));
      expect(Array.from(all, ([, token]) => token)).toEqual(tokens);
    }
  });
});

describe('samples', () => {
  it('are nobody’s tokens', () => {
    for (const path of SAMPLES)
      expect(parseToken(found(RULES.GitHub!, read(path))!), path).toBe(null);
    expect(found(RULES.GitHub!, GITHUB.testString)).not.toBe(null);
  });
});
