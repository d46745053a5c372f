import { readFileSync } from "node:fs";
import Handlebars from "handlebars";
import { InternalError } from "../base/index.ts";
import { packagePath } from "../tools/index.ts";

const compiled = new Map<string, Handlebars.TemplateDelegate>();

/**
 * Renders a template of `templates/`. Its first line is a comment that names the type of its view.
 *
 * @throws InternalError where the template reads what the view does not have
 */
export function renderTemplate(name: string, view: object): string {
  let render = compiled.get(name);
  if (render === undefined) {
    const text = readFileSync(packagePath("templates", name), "utf8");
    const options = { strict: true, noEscape: true, knownHelpersOnly: true, preventIndent: true };
    render = Handlebars.compile(text, options);
    compiled.set(name, render);
  }
  try {
    return render(guard(view, "view"));
  } catch (error) {
    throw new InternalError(`templates/${name}: ${(error as Error).message}`);
  }
}

/**
 * A view that refuses to give what it does not have. Strict Handlebars alone misses that inside `#if` and
 * `#each`; and it would add `{{a}}{{b}}` up where both are numbers, so only text, flags, lists and views
 * may reach a page.
 */
export function guard<T extends object>(view: T, path: string): T {
  return new Proxy(view, {
    get(target, key, receiver) {
      const value: unknown = Reflect.get(target, key, receiver);
      if (typeof key === "symbol" || typeof value === "string" || typeof value === "boolean")
        return value;
      if (typeof value === "function") return value;
      if (typeof value === "object" && value !== null) return guard(value, `${path}.${key}`);
      if (Array.isArray(target) && key === "length") return value;
      if (!(key in target))
        throw new Error(`the template reads ${path}.${key}, which the view does not have`);
      throw new Error(
        `${path}.${key} is ${String(value)}; a view holds text, flags, lists and views`,
      );
    },
    getOwnPropertyDescriptor(target, key) {
      if (!(key in target)) {
        throw new Error(`the template reads ${path}.${String(key)}, which the view does not have`);
      }
      return Reflect.getOwnPropertyDescriptor(target, key);
    },
  });
}
