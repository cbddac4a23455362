export const BYTE_ORDER_MARK = '\uFEFF'
const UTF16_MARKS = [[0xff, 0xfe], [0xfe, 0xff]]

/** The text without the mark that some editors begin a file with. */
export function withoutByteOrderMark (text: string): string {
  return text.startsWith(BYTE_ORDER_MARK) ? text.slice(BYTE_ORDER_MARK.length) : text
}

/** Of ASCII in UTF-16 each second byte is 0. */
function isUtf16 ([first, second]: Uint8Array): boolean {
  return first === 0 || second === 0 || UTF16_MARKS.some(([one, other]) => first === one && second === other)
}

/**
 * The text of a file in UTF-8.
 * @throws Error for a file in UTF-16
 */
export function decodeText (bytes: Buffer): string {
  if (isUtf16(bytes)) {
    throw new Error(
      'it is in UTF-16, and has to be saved as UTF-8 (the ">" of Windows PowerShell writes UTF-16, "| Set-Content ' +
        '-Encoding utf8" does not)'
    )
  }
  return withoutByteOrderMark(bytes.toString())
}
