/**
 * The words of a line that is being typed into a shell, without its quotes. Null for a word of
 * which only the shell knows what it comes to, and for one that is not yet ended.
 */
export function wordsOf(line: string, home: string): readonly (string | null)[] {
  const words: (string | null)[] = [];
  for (const [piece] of line.matchAll(WORD)) words.push(wordOf(piece, home));
  return words;
}

/** Up to white space that is not quoted. */
const WORD = /(?:'[^']*(?:'|$)|"(?:\\.|[^"\\])*(?:"|$)|\\.|[^\s'"\\])+/gsu;
const PIECE = /'([^']*)'|"((?:\\.|[^"\\])*)"|\\(.)|([^'"\\]+)/gsuy;

function wordOf(piece: string, home: string): string | null {
  let word = '';
  PIECE.lastIndex = 0;
  while (PIECE.lastIndex < piece.length) {
    const found = PIECE.exec(piece);
    if (found === null) return null;
    const [, single, double, escaped, bare] = found;
    if (/[$`]/.test(double?.replace(/\\./gs, '') ?? '') || /[$`*?;|&<>()]/.test(bare ?? ''))
      return null;
    word += single ?? double?.replace(/\\(["\\$`])/g, '$1') ?? escaped ?? bare;
  }
  return /^~(?=\/)/.test(piece) ? word.replace('~', home) : word;
}
