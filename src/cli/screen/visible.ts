const UNSEEN = /[\p{Cc}\p{Cf}\u2028\u2029]/u;
const EACH_UNSEEN = new RegExp(UNSEEN, 'gu');
/** Without the line feeds between the lines of a document: inside its texts they are escaped. */
const UNSEEN_IN_DOCUMENT = /(?!\n)[\p{Cc}\p{Cf}\u2028\u2029]/gu;

/**
 * Control characters and those that reorder text, made visible: what others wrote must not drive
 * somebody's terminal.
 */
export function visible(text: string): string {
  return text.replace(EACH_UNSEEN, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`);
}

export function hasUnseen(text: string): boolean {
  return UNSEEN.test(text);
}

/** The same value, as JSON that shows them as escapes. */
export function visibleJson(json: string): string {
  return json.replace(UNSEEN_IN_DOCUMENT, (character) =>
    [...Array(character.length).keys()].map((at) => escaped(character.charCodeAt(at), 4)).join(''),
  );
}

/** The same value, as YAML whose texts with such characters stand in double quotes. */
export function visibleYaml(yaml: string): string {
  return yaml.replace(UNSEEN_IN_DOCUMENT, (character) => {
    const point = character.codePointAt(0) ?? 0;
    return point > 0xffff ? escaped(point, 8) : escaped(point, 4);
  });
}

function escaped(code: number, digits: 4 | 8): string {
  return `\\${digits === 4 ? 'u' : 'U'}${code.toString(16).padStart(digits, '0')}`;
}
