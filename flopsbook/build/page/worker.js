/* Python, in a worker of its own. The page makes it from a blob inside a frame with a policy, hands
   it a port that Python's code never sees, and sends it requests; see runner.js. */
"use strict";

/* Memory is never given back, so a program without end would take all of the machine's. */
const MOST_MEMORY = 1024 * 1024 * 1024, PAGE = 65536;
const grow = WebAssembly.Memory.prototype.grow;
WebAssembly.Memory.prototype.grow = function (delta) {
  if (this.buffer.byteLength + delta * PAGE > MOST_MEMORY) throw new RangeError("no more memory");
  return grow.call(this, delta);
};

/* A socket of Python would be one of these, which the policy refuses without a word to Python. */
delete globalThis.WebSocket;

const bytes = async (url) => {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url} is not there (${answer.status})`);
  return answer.arrayBuffer();
};

/* SymPy is fetched by the import that wants it, which waits. */
const fetchNow = (url) => {
  const request = new XMLHttpRequest();
  request.open("GET", url, false);
  request.responseType = "arraybuffer";
  request.send();
  if (request.status !== 200) throw new Error(`${url} is not there (${request.status})`);
  return request.response;
};

const SYMPY = `
import importlib.abc, sys

class Later(importlib.abc.MetaPathFinder):
    """Fetches SymPy once it is imported."""

    def find_spec(self, name, path=None, target=None):
        if name in ("sympy", "mpmath"):
            sys.meta_path.remove(self)
            fetch()
            return importlib.util.find_spec(name)

sys.meta_path.insert(0, Later())
`;

const load = async ({ base, wheels, sympy, packages }, tell) => {
  const waiting = [...wheels, `${base}python.zip`].map(bytes);
  const { loadPyodide } = await import(`${base}pyodide.mjs`);
  const python = await loadPyodide({
    indexURL: base,
    lockFileContents: { info: packages, packages: {} },
    jsglobals: {},
    stdout: () => {},
    stderr: () => {},
  });
  const unpack = (archive) => python.unpackArchive(archive, "wheel");
  for (const archive of await Promise.all(waiting)) unpack(archive);
  const fetch = () => {
    tell({ type: "stage", stage: "sympy" });
    unpack(fetchNow(sympy));
    tell({ type: "stage", stage: "run" });
  };
  python.runPython(SYMPY, { globals: python.toPy({ fetch }) });
  const page = python.pyimport("flopsbook.in_page");
  page.install();
  return page;
};

addEventListener("message", ({ data: settings, ports: [port] }) => {
  const tell = (message) => port.postMessage(message);
  const loaded = load(settings, tell);
  const answers = {
    load: () => "null",
    check: (page, { exercise, texts }) => page.check(exercise, JSON.stringify(texts)),
    hint: (page, { exercise, step }) => page.hint(exercise, step),
    run: (page, { source, name }, id) =>
      page.run(source, name, (text) => tell({ id, type: "printed", text })),
  };
  port.onmessage = async ({ data: { id, request, ...given } }) => {
    try {
      const page = await loaded;
      tell({ id, type: "done", result: answers[request](page, given, id) });
    } catch (error) {
      // Python's own errors were caught by the library: this is the interpreter, or the network
      tell({ id, type: "dead", reason: String(error.message ?? error).slice(-2000) });
    }
  };
}, { once: true });
