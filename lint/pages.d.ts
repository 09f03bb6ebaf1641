// Declarations for the type check of the pages' modules. Elements are looked up by id and selector, so their types and
// those of event targets are not known to the compiler; everything else is checked.

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
