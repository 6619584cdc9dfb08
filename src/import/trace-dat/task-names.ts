/** Tasks whose name is remembered. */
const MAX_TASKS = 1024 * 1024;

/** The task names of a recording: `pid name` lines of saved_cmdlines, found by pid without making strings. */
export class TaskNames {
  readonly bytes: Uint8Array;
  /** Where the name found last begins and ends; both 0: no name. */
  start = 0;
  end = 0;
  private readonly places = new Map<number, number>();

  constructor(text: Uint8Array) {
    this.bytes = text;
    for (let at = 0; at < text.length && this.places.size < MAX_TASKS; ) {
      let end = text.indexOf(0x0a, at);
      if (end < 0) end = text.length;
      this.line(at, end);
      at = end + 1;
    }
  }

  find(tid: number): void {
    const place = this.places.get(tid);
    if (place === undefined) {
      this.start = this.end = 0;
      return;
    }
    this.end = place % 4294967296;
    this.start = this.end - (place - this.end) / 4294967296;
  }

  private line(from: number, to: number): void {
    let at = from;
    let pid = 0;
    while (at < to && this.bytes[at]! >= 0x30 && this.bytes[at]! <= 0x39) {
      pid = pid * 10 + this.bytes[at]! - 0x30;
      at++;
    }
    if (at === from || pid > 0x7fffffff || this.bytes[at] !== 0x20) return;
    at++;
    let end = to;
    while (end > at && (this.bytes[end - 1] === 0 || this.bytes[end - 1] === 0x0d)) end--;
    const length = end - at;
    if (length <= 0 || length > 255) return;
    // One number, no object per task; as in the text, a later line of a pid counts.
    this.places.set(pid, length * 4294967296 + end);
  }
}
