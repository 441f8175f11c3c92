/**
 * Fields of a message on its way out, in the order in which they are written.
 *
 * Heads cross every seam as values; how they look on the wire only the room of the protocol knows.
 * No value holds a CR, a LF or a NUL: those of a request or a response have passed its parser,
 * ours come from grammars without them.
 */
export class Fields {
  /** Names and values in turn: `list[2 * n]` belongs to `list[2 * n + 1]`. */
  readonly list: string[] = [];

  add(name: string, value: string): this {
    this.list.push(name, value);
    return this;
  }

  addAll({ list }: Fields): this {
    for (let index = 0; index < list.length; index += 1) this.list.push(list[index]!);
    return this;
  }

  /** All but those of one name, as fields of their own. @param lower its name in lower case */
  without(lower: string): Fields {
    const { list } = this;
    const left = new Fields();
    for (let index = 0; index < list.length; index += 2)
      if (list[index]!.toLowerCase() !== lower) left.add(list[index]!, list[index + 1]!);
    return left;
  }
}
