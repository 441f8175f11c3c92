/** What a document shows in a fence, in its order. */
export interface Block {
  /** `README.md:42`: the line on which it begins. */
  readonly where: string;
  /** The word behind the fence: `sh`, `yaml`. */
  readonly language: string;
  readonly text: string;
}

/** The fenced blocks of a document in Markdown. */
export function blocksOf(path: string, markdown: string): readonly Block[] {
  const blocks: Block[] = [];
  const fences = markdown.matchAll(/^```(\w*)[^\n]*\n([\s\S]*?)^```$/gm);
  for (const { index, 1: language = '', 2: text = '' } of fences) {
    const line = markdown.slice(0, index).split('\n').length;
    blocks.push({ where: `${path}:${line}`, language, text });
  }
  return blocks;
}

/** The file that a block is to be kept as: its first line says so, `# sallyport.yaml`. */
export function fileOf({ language, text }: Block): string | null {
  return language === 'yaml' ? (/^# ([\w.-]+\.yaml)\n/.exec(text)?.[1] ?? null) : null;
}
