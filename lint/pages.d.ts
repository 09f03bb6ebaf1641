// What the type check of the pages' modules takes as given. Their page is looked up by id and selector, so the kinds of
// elements and event targets are not known to the compiler; everything else is checked.

interface Element {
  setAttribute(name: string, value: unknown): void;
}

interface ParentNode {
  querySelectorAll(selectors: string): NodeListOf<any>;
}

interface EventTarget {
  checked?: any;
  closest?: any;
  files?: any;
  value?: any;
}

interface MapConstructor {
  new (entries: any[][]): Map<any, any>;
}

interface Navigator {
  connection?: { saveData: boolean }; // Network Information API, Chromium
}
