import { expect, it } from 'vitest';
import { textsIn, userTexts } from './texts.ts';

/** What nobody would say, and what one says instead. */
const ODD: readonly (readonly [pattern: RegExp, instead: string])[] = [
  [/\bso already\b/i, 'nothing had to be changed'],
  [/\b(is|are) (called )?like that\b/i, 'matches'],
  [/\binterim answers?\b/i, 'interim response (RFC 9110 §15.2)'],
  [/\b(class|end|last|body|status) of (the|its|an) answers?\b/i, 'response'],
  [/\bno valid answer\b/i, 'response'],
  [/\b(its|whose) answer broke\b/i, 'response'],
  [/\bmade anew from\b|\bmaking anew\b/i, 'rebuilt, rebuild'],
  [/\bnobody (else )?(remains|would remain) who\b/i, 'the last administrator'],
  [/\brights of the store\b/i, 'access to the store itself'],
  [/\bno such thing\b/i, 'what there is not'],
  [/\bsilenced\b|\bswitched off user\b/i, 'deactivated'],
  [/\bforms only, please\b/i, 'what is accepted'],
  [/\bis none of the\b/i, 'what it is not'],
  [/\b(oops|sorry|unfortunately|whoops)\b/i, 'what happened, and what to do'],
  [/\b(blacklist|whitelist)/i, 'what is let in or refused'],
  [/!(?=\s|$)(?<!\{\}!)/, 'a full stop'],
];

const texts = userTexts();

it('says what a person would say', () => {
  expect(texts.length).toBeGreaterThan(2_000);
  const odd = texts.flatMap(({ where, text }) =>
    ODD.filter(([pattern]) => pattern.test(text)).map(
      ([pattern, instead]) => `${where}: ${pattern.exec(text)?.[0]} (say ${instead})`,
    ),
  );
  expect(odd).toEqual([]);
});

it('would find what is odd, in all places in which a text can stand', () => {
  const source = [
    "note('It was so already.');",
    `throw new UsageError(\`\${name} was so already\`);`,
    "const text = 'it was ' + 'so already, ' + name;",
    'html`<p>It was so already.</p>`;',
    "const TABLE = { a: { title: 'so already and so on' } } as const;",
  ];
  const found = textsIn('src/a.ts', source.join('\n'));
  expect(found.map(({ where, to }) => [where, to])).toEqual([
    ['src/a.ts:1', 'note'],
    ['src/a.ts:2', 'UsageError'],
    ['src/a.ts:3', ''],
    ['src/a.ts:4', 'html'],
    ['src/a.ts:5', ''],
  ]);
  for (const { text } of found) expect(text).toMatch(ODD[0]![0]);
});

it('asks questions of what it is about to do with a question mark', () => {
  const asked = texts.filter(({ to, text }) => to === 'confirm' && /^[A-Z]/.test(text));
  expect(asked.length).toBeGreaterThan(5);
  expect(asked.filter(({ text }) => !text.includes('?'))).toEqual([]);
});

it('ends what a command line or a store refuses without a full stop, and begins it small', () => {
  const faults = texts.filter(({ to }) =>
    /^(UsageError|Refused|AdminError|CertificateFault)$/.test(to),
  );
  expect(faults.length).toBeGreaterThan(100);
  const wrong = faults.filter(({ text }) => /[^.]\.$|^[A-Z][a-z]+ [a-z]/.test(text));
  expect(wrong).toEqual([]);
});
