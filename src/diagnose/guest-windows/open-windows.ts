import type { OpenWindow } from './open-window.ts';

/** The open windows of one vCPU, the one opened first in front. */
export class OpenWindows {
  readonly all: OpenWindow[] = [];
  private readonly byCounter: (OpenWindow | undefined)[] = [];

  of(counter: number): OpenWindow | undefined {
    return this.byCounter[counter];
  }

  add(window: OpenWindow): void {
    this.all.push(window);
    this.byCounter[window.counter] = window;
  }

  remove(window: OpenWindow): void {
    this.all.splice(this.all.indexOf(window), 1);
    this.byCounter[window.counter] = undefined;
  }
}
