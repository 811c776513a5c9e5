/**
 * Every page, once. `path` is the first part of the address behind the #, `needs` the scope of its key; a page without
 * `group` is not in the navigation; `under` is the one that is marked there meanwhile. `load` gives a module with `render(root, context)`.
 */

export const PAGES = [
  { path: "", title: "Create", group: "Make", needs: "tasks", load: () => import("./pages/playground.js") },
  { path: "live", title: "Live", group: "Make", needs: "tasks", load: () => import("./pages/live.js") },
  { path: "history", title: "History", group: "Make", needs: "tasks", load: () => import("./pages/history.js") },
  { path: "make", title: "Create", needs: "tasks", under: "", load: () => import("./pages/make.js") },
  { path: "task", title: "Task", needs: "tasks", under: "history", load: () => import("./pages/task.js") },
  { path: "usage", title: "Usage", group: "Account", needs: "account", load: () => import("./pages/usage.js") },
  { path: "keys", title: "Keys", group: "Account", needs: "account", load: () => import("./pages/keys.js") },
  { path: "webhooks", title: "Webhooks", group: "Account", needs: "tasks", load: () => import("./pages/webhooks.js") },
  { path: "queue", title: "Queue", group: "Operate", needs: "admin", load: () => import("./pages/queue.js") },
  { path: "workers", title: "Workers", group: "Operate", needs: "admin", load: () => import("./pages/workers.js") },
  { path: "models", title: "Models", group: "Operate", needs: "admin", load: () => import("./pages/models.js") },
  { path: "accounts", title: "Accounts", group: "Operate", needs: "admin", load: () => import("./pages/accounts.js") },
  { path: "audit", title: "Audit", group: "Operate", needs: "admin", load: () => import("./pages/audit.js") },
];

/** Where somebody begins who may do this: with the first page of the navigation that is for them. */
export const startFor = (scopes) => PAGES.find((page) => page.group && scopes.has(page.needs))?.path ?? "";

/** The page of an address. */
export const pageAt = (path) => PAGES.find((page) => page.path === path);
