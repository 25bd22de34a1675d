"""What runs inside the sandbox: read a notebook, run its cells and report plain data.

It is started as a script, without the rest of this package, and knows no test and no
answer. Its job comes on standard input, a line of JSON and then the notebook; what it found
goes, a line of JSON at a time, to what was standard output. The first line has the cells, and
is written before any of them runs. After it a student's code runs in this same process and may
write there too, which gains nothing: every line is checked by `answers` as if the student had
sent it.
"""

# no more than these: each notebook starts its own Python, and waits for them
import ast
import builtins
import functools
import importlib.machinery
import json
import os
import re
import signal
import sys
import types

MOST_CHARACTERS = 2_000_000  # code and text of a notebook, together
MOST_CELLS = 5_000
LONGEST_TEXT = 10_000  # characters of one answer
MOST_BITS = 13_000  # of one integer: fewer than the 4,300 digits that Python reads back
MOST_ITEMS = 10_000  # of one answer, lists within lists included
DEEPEST = 20
MOST_SUSPICIONS = 20
MOST_PICTURES = 20  # in one cell
PICTURES = ("image/png", "image/jpeg", "image/gif", "image/webp")
PATIENCE = 4  # seconds of waiting for a second of work

# where tests, seeds and solutions lie, here or on Gradescope
PLACES = re.compile(
    r"(^|/)(autograder|test-seed|hidden\.py)(/|$)"
    r"|(^|/)assignments(/?$|/(questions|hidden|seed|question|build)|/\w+/\w+\.ipynb$)"
)
NETWORK = {
    "socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr",
    "socket.sendto", "socket.sendmsg", "urllib.Request", "http.client.connect",
    "ftplib.connect", "smtplib.connect", "poplib.connect", "imaplib.open", "telnetlib.Telnet.open",
}  # fmt: skip
PROGRAMS = {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "pty.spawn"}
FORKS = {"os.fork", "os.forkpty"}
FILES = {
    "open", "os.listdir", "os.scandir", "glob.glob", "glob.glob/2", "os.chdir", "os.symlink",
    "os.link", "shutil.copyfile", "shutil.copytree",
}  # fmt: skip
MEMORY = {"gc.get_objects", "gc.get_referrers", "gc.get_referents"}
# parts of the standard library that start a program or load a library on nobody's behalf
HONEST = ("platform.py", "sysconfig.py", "uuid.py", os.path.join("ctypes", "util.py"))
PATCHED = {"otter", "unittest", "doctest", "builtins", "__builtins__"}


HERE = (lambda: 0).__code__.co_filename  # what the frames say; the file itself may be compiled


class OutOfTime(BaseException):
    """A cell or a call took longer than it may; no `except Exception` catches it."""


def main():
    """Do the one job that is asked for."""
    job, _, notebook = sys.stdin.buffer.read().partition(b"\n")
    say = take_the_channel()
    limits = json.loads(sys.argv[1])
    confine(limits)
    sys.path += limits["paths"]
    found, job = read(notebook), json.loads(job)
    del notebook
    say(found)
    if "cells" in found and found["set"] in ("", job["set"]):
        code = [cell[1] for cell in found.pop("cells") if cell[0] == "code"]
        say(Run(job, code, limits["paths"], say).report())
    os._exit(0)  # threads that a student left behind do not hold it up


def take_the_channel():
    """Keep standard output for the report alone, and give the notebook a sink."""
    channel = os.fdopen(os.dup(1), "w", encoding="ascii", newline="\n")
    sink = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(sink, descriptor)
    sys.stdin, sys.stdout, sys.stderr = (
        os.fdopen(number, mode) for number, mode in ((0, "r"), (1, "w"), (2, "w"))
    )

    def say(message, encode=json.dumps, write=channel.write, flush=channel.flush):
        write(encode(message) + "\n")
        flush()

    return say


def confine(limits):
    """Give up every right, and set the limits, before anything of a student is looked at."""
    import resource

    if limits.get("user"):  # started by root: no limit on processes would bind a root
        os.setgroups([])
        os.setgid(limits["user"])
        os.setuid(limits["user"])
    for name, value in limits["resources"].items():
        kind = getattr(resource, name, None)
        if kind is not None:
            most = resource.getrlimit(kind)[1]
            value = value if most == resource.RLIM_INFINITY else min(value, most)
            resource.setrlimit(kind, (value, value))


# reading a notebook


def read(content):
    """Return the cells of a notebook, or a word that says why there are none."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return {"unreadable": "binary"}
    try:
        notebook = json.loads(text)
    except RecursionError:
        return {"unreadable": "deep"}
    except ValueError:
        return {"unreadable": "truncated" if looks_cut(text) else "not json"}
    try:
        cells = list(cells_of(notebook))
    except RecursionError:
        return {"unreadable": "deep"}
    except Exception:  # whatever shape it has, it is not a notebook's
        return {"unreadable": "shape"}
    if len(cells) > MOST_CELLS or sum(len(cell[1]) for cell in cells) > MOST_CHARACTERS:
        return {"unreadable": "long"}
    return {"cells": cells, "set": set_of(notebook)}


def looks_cut(text):
    """Whether a text begins like a notebook and ends too early."""
    text = text.strip()
    return text.startswith("{") and '"cells"' in text and not text.endswith("}")


def cells_of(notebook):
    """Yield kind, source and pictures of every cell that holds code or text."""
    if notebook["nbformat"] < 4:
        import nbformat

        notebook = nbformat.convert(nbformat.from_dict(notebook), 4)
    for cell in notebook["cells"]:
        source = cell["source"]
        source = source if isinstance(source, str) else "".join(source)
        if cell["cell_type"] in ("code", "markdown"):
            yield cell["cell_type"], source, pictures_of(cell)


def pictures_of(cell):
    """Return name → [type, Base64] of the pictures that were put into a cell."""
    found = {}
    attachments = cell.get("attachments")
    for name, kinds in attachments.items() if isinstance(attachments, dict) else ():
        for kind, data in kinds.items() if isinstance(kinds, dict) else ():
            data = "".join(data) if isinstance(data, list) else data
            if kind in PICTURES and isinstance(data, str) and len(found) < MOST_PICTURES:
                found[str(name)[:200]] = [kind, "".join(data.split())]
    return found


def set_of(notebook):
    """Return the name of the problem set that otter wrote into a notebook, or nothing."""
    try:
        name = notebook["metadata"]["otter"]["assignment_name"]
    except (LookupError, TypeError):
        return ""
    return name[:100] if isinstance(name, str) else ""


# running it


class Run:
    """One run of a notebook's cells in one namespace, and of the calls that are asked for."""

    def __init__(self, job, code, paths, say):
        self.job = job
        self.code = [*enumerate(code, start=1)]
        self.paths = paths
        self.say = say
        self.failed = {}
        self.suspicions = []
        self.where = None  # the cell or the function that is running
        self.imported = {"__builtins__": "__builtins__"}
        self.ringing = False
        self.wanted = False
        self.main = types.ModuleType("__main__")
        self.names = self.main.__dict__
        self.ours = sys.modules["__main__"]  # kept, or its names would go when it is replaced

    def report(self):
        """Run everything, and return what was found as plain data."""
        self.prepare()
        cells = [cell for cell in self.code if cell[0] not in self.job["skip"]]
        for number, source in cells:
            self.cell(number, source)
        # in a notebook whose cells were moved, what a cell needs may come after it
        waiting = self.lacking(cells)
        while waiting:
            for number, source in waiting:
                del self.failed[number]
                self.cell(number, source)
            waiting, before = self.lacking(waiting), waiting
            if len(waiting) == len(before):
                break
        sys.setrecursionlimit(1000)
        # first the values: a call might change them
        values = {name: self.value(name) for name in self.job["values"]}
        functions = {
            name: self.calls(name, arguments) for name, arguments in self.job["calls"].items()
        }
        self.where = None
        return {"values": values, "functions": functions, "failed": sorted(self.failed.items())}

    def lacking(self, cells):
        """Return the cells that failed because a name was not there yet."""
        return [cell for cell in cells if self.failed.get(cell[0]) == "NameError"]

    def prepare(self):
        """Set the stage: what a notebook expects to find, and what watches it."""
        self.names.update(
            __builtins__=builtins,
            get_ipython=lambda: shell,
            display=lambda *things, **options: None,
            help=lambda *things: None,
            exit=sys.exit,
            quit=sys.exit,
        )
        shell = Shell(self)
        sys.modules["__main__"] = self.main
        sys.argv = ["notebook"]
        sys.path.insert(0, os.getcwd())
        sys.meta_path.insert(0, PretendedOtter(self))
        if not self.job["flopslib"]:
            sys.meta_path.insert(0, NoLibrary(self))
        for name in [name for name in sys.modules if name.split(".")[0] == "otter"]:
            del sys.modules[name]
        signal.signal(signal.SIGALRM, self.ring)
        signal.signal(signal.SIGPROF, self.ring)
        sys.addaudithook(Watch(self))

    def ring(self, *_):
        """Interrupt what is running: the signal's handler."""
        if self.ringing:
            raise OutOfTime

    def timed(self, seconds, action):
        """Return (the result, None), or (None, the name of what went wrong).

        The seconds are the processor's, so that a busy machine wrongs nobody; who only
        waits may wait some times longer.
        """
        # again every second: a bare `except` in a loop may have swallowed the first
        self.ringing = True
        signal.setitimer(signal.ITIMER_PROF, seconds, 1)
        signal.setitimer(signal.ITIMER_REAL, PATIENCE * seconds, 1)
        try:
            return action(), None
        except OutOfTime:
            return None, "OutOfTime"
        except BaseException as error:
            return None, kind_of(error)
        finally:
            self.ringing = False
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.setitimer(signal.ITIMER_REAL, 0)

    def cell(self, number, source):
        """Run one cell; note the kind of error if it fails."""
        self.say({"at": ["cell", number]})
        self.where = number
        _, error = self.timed(self.job["cell_seconds"], lambda: self.execute(number, source))
        if error:
            self.failed[number] = error
        self.where = None

    def execute(self, number, source):
        """Run a cell's source in the namespace, magics and all."""
        name = f"<cell {number}>"
        try:
            tree = parse(source, name)
        except SyntaxError:
            from IPython.core.inputtransformer2 import TransformerManager

            tree = parse(TransformerManager().transform_cell(source), name)
        self.look_for_patches(tree)
        if not self.job["flopslib"]:
            tree = without_flopslib(tree, self.want)
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        code = compile(tree, name, "exec", flags, dont_inherit=True)
        waiting = eval(code, self.names)
        if waiting is not None:
            import asyncio

            asyncio.run(waiting)

    def calls(self, name, arguments):
        """Return what a student's function gives for each set of arguments."""
        function = self.names.get(name)
        if function is None:
            return {"state": "missing"}
        if not callable(function):
            return {"state": "not a function"}
        results = []
        for place, keywords in enumerate(arguments):
            step = ["call", name, place]
            late = bool(results) and results[-1] == {"error": "OutOfTime"}
            if late or step in self.job["skip_calls"]:
                results.append({"error": "OutOfTime"})  # one endless loop is enough
                continue
            self.say({"at": step})
            self.where = name
            call = functools.partial(self.call, function, keywords)
            result, error = self.timed(self.job["call_seconds"], call)
            results.append({"error": error} if error else result)
        self.where = None
        return {"state": "function", "results": results}

    def call(self, function, keywords):
        """Return a function's result as plain data."""
        return self.plain(function(**keywords))

    def value(self, name):
        """Return a variable as plain data, or say what else it is."""
        if name not in self.names:
            return {"missing": True}
        self.where = name
        result, error = self.timed(self.job["call_seconds"], lambda: self.plain(self.names[name]))
        return {"other": "object"} if error else result

    def plain(self, thing):
        """Return {"value": …} for integers, text and lists of them, else {"other": its type}."""
        room = [MOST_ITEMS]
        try:
            return {"value": self.reduced(thing, room, DEEPEST)}
        except NotPlainError as reason:
            return {"other": str(reason)}

    def reduced(self, thing, room, depth):
        """Return a thing made of nothing but integers, text and lists, or raise."""
        room[0] -= 1
        kind = type(thing)
        if kind is list:
            if depth == 0 or len(thing) > room[0]:
                raise NotPlainError("a list that is too long or too deep")
            return [self.reduced(item, room, depth - 1) for item in thing]
        if kind is str:
            if len(thing) > LONGEST_TEXT:
                raise NotPlainError("a text that is too long")
            if not is_unicode(thing):
                raise NotPlainError("a text that is not Unicode")
            return thing
        if is_foreign_integer(kind):
            thing, kind = int(thing), int
        if kind is int:
            if thing.bit_length() > MOST_BITS:
                raise NotPlainError("an integer that is too large")
            return thing
        if compares_in_its_own_way(kind):
            self.suspect("equal")
        raise NotPlainError(kind.__name__ if kind.__module__ in ("builtins", "numpy") else "object")

    def suspect(self, what):
        """Note an attempt, once for every place."""
        entry = [what, self.where]
        known = self.where is None or entry in self.suspicions
        if not known and len(self.suspicions) < MOST_SUSPICIONS:
            self.suspicions.append(entry)
            self.say({"noted": entry})  # at once: the cell may end Python

    def want(self):
        """Say, once, that the notebook asks for flopslib, which is not here."""
        if not self.wanted:
            self.wanted = True
            self.say({"wants": True})

    def look_for_patches(self, tree):
        """Note it if a cell assigns to an attribute of what might grade it."""
        self.imported |= imports(tree)
        if any(self.imported.get(name) in PATCHED for name in assigned(tree)):
            self.suspect("patch")


class NotPlainError(Exception):
    """An answer is neither an integer, nor text, nor a list of these."""


def kind_of(error):
    """Return the name of an error that Python itself knows, since others could say anything."""
    for kind in type(error).__mro__:
        if getattr(builtins, kind.__name__, None) is kind:
            return kind.__name__
    return "Exception"


def is_unicode(text):
    """Whether a text can be written to a file: Python allows half a character as well."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def parse(source, name):
    """Return the syntax tree of a cell, in which `await` may stand anywhere."""
    return compile(
        source,
        name,
        "exec",
        ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT,
        dont_inherit=True,
    )


OURS = ("flopslib", "flopsbook")
#: The numbers of a student are there without flopslib, too.
PERSONAL = "flopsbook.exercises.personal"


def without_flopslib(tree, want):
    """Leave out the imports of our packages at the top of a cell, so that the rest of it runs.

    Whatever needs them fails where it uses them.
    """
    kept = []
    for statement in tree.body:
        if isinstance(statement, ast.Import):
            names = [name for name in statement.names if not is_ours(name.name)]
            if len(names) < len(statement.names):
                want()
            statement.names = names
            if not names:
                continue
        if isinstance(statement, ast.ImportFrom) and is_ours(statement.module or ""):
            want()
            continue
        kept.append(statement)
    tree.body = kept
    return tree


def is_ours(module):
    """Whether a module is of our packages, and not the one with a student's numbers."""
    return root(module) in OURS and module != PERSONAL


class NoLibrary:
    """Notes that a module of our packages is asked for where it cannot be imported."""

    def __init__(self, run):
        self.run = run
        self.there = {PERSONAL, *(PERSONAL.rsplit(".", count)[0] for count in (1, 2))}

    def find_spec(self, name, path=None, target=None):
        """Find nothing."""
        if root(name) in OURS and name not in self.there:
            self.run.want()


def root(module):
    """Return the first part of a module's dotted name."""
    return module.partition(".")[0]


def is_foreign_integer(kind):
    """Whether a type is an integer of NumPy, SymPy or the library, which is as good as an int."""
    if kind.__module__ == "flopslib.layers.habits":
        return issubclass(kind, int)
    numpy, sympy = sys.modules.get("numpy"), sys.modules.get("sympy")
    if numpy is not None and kind.__module__ == "numpy":
        return issubclass(kind, numpy.integer)
    return (
        sympy is not None
        and kind.__module__ == "sympy.core.numbers"
        and issubclass(kind, sympy.Integer)
    )


def compares_in_its_own_way(kind):
    """Whether a class was written in the notebook, `__eq__` included."""
    for base in kind.__mro__:
        code = getattr(base.__dict__.get("__eq__"), "__code__", None)
        if code is not None and code.co_filename.startswith("<cell "):
            return True
    return False


def imports(tree):
    """Return name → module for what a cell imports, at whatever depth."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                found[name.asname or root(name.name)] = root(name.name)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for name in node.names:
                found[name.asname or name.name] = root(node.module)
    return found


def assigned(tree):
    """Yield the names whose attributes or items a cell assigns to."""
    for node in ast.walk(tree):
        targets = []
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, ast.AugAssign | ast.AnnAssign):
            targets = [node.target]
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "setattr" and node.args:
            targets = [ast.Attribute(value=node.args[0])]
        for target in targets:
            for part in getattr(target, "elts", [target]):
                inner = part
                while isinstance(inner, ast.Attribute | ast.Subscript):
                    inner = inner.value
                if inner is not part and isinstance(inner, ast.Name):
                    yield inner.id


class Watch:
    """An audit hook that notes what an honest answer to these questions never needs."""

    def __init__(self, run):
        self.run = run
        standard = os.path.dirname(os.__file__)
        self.standard = (standard + os.sep, "<frozen ")
        self.packages = os.path.join(standard, "site-packages") + os.sep
        self.libraries = (self.packages, *(path + os.sep for path in run.paths), HERE)
        self.home = os.path.realpath(os.getcwd())
        self.all = NETWORK | PROGRAMS | FORKS | FILES | MEMORY | {"import"}

    def __call__(self, event, arguments):
        """Look at one event; what cannot be judged is not held against anybody."""
        if self.run.where is None or not (event in self.all or event.startswith("ctypes.dl")):
            return
        try:
            self.look(event, arguments)
        except (OutOfTime, MemoryError, RecursionError):
            raise
        except Exception:
            return

    def look(self, event, arguments):
        """Note an event if it is an attempt, and a student's own."""
        suspect = self.run.suspect
        if event in NETWORK:
            suspect("network")
        elif event == "import":
            if root(str(arguments[0])) == "assignments":
                suspect("tests")
        elif event in FILES:
            if self.is_forbidden(arguments[0]) or (
                self.is_outside(arguments[0], event) and self.asked_by_student()
            ):
                suspect("files")
        elif event in FORKS or event in MEMORY:
            if self.asked_by_student(directly=True):
                suspect("program" if event in FORKS else "memory")
        elif self.asked_by_student():
            suspect("program" if event in PROGRAMS else "ctypes")

    def asked_by_student(self, directly=False):
        """Whether the nearest code that is not the standard library's is a student's."""
        frame = sys._getframe(1)
        while frame is not None:
            name = frame.f_code.co_filename
            if name == HERE:
                if frame.f_code.co_name in ("execute", "call"):
                    return False
            elif name.startswith("<frozen importlib"):
                return False  # a library that is being imported
            elif name.endswith(HONEST) and name.startswith(self.standard):
                return False
            elif name.startswith(self.packages) or not name.startswith(self.standard):
                return not name.startswith(self.libraries)
            elif directly:
                return False
            frame = frame.f_back
        return False

    def is_forbidden(self, path):
        """Whether a path names a place where tests or answers would be."""
        if isinstance(path, int) or path is None:
            return False
        path = os.path.normpath(os.fsdecode(path)).casefold()
        return PLACES.search(path) is not None

    def is_outside(self, path, event):
        """Whether a path leads into the system rather than to a student's own files."""
        if isinstance(path, int) or path is None:
            return False
        path = os.path.normpath(os.path.join(self.home, os.fsdecode(path)))
        if path.startswith(("/proc", "/sys", "/etc")) and path != "/proc/cpuinfo":
            return True
        return event != "open" and path in ("/", "/home", "/root", "/mnt", "/media", "/dev")


class Shell:
    """What `get_ipython()` returns: magics and shell commands do nothing here."""

    def __init__(self, run):
        self._run = run

    def run_cell_magic(self, name, line, cell):
        """Run the cell below `%%time` and its like, write files; leave other languages out."""
        if name in ("time", "timeit", "capture", "prun"):
            self._run.execute(self._run.where, cell)
        elif name in ("writefile", "file"):
            append, path = "-a" in line.split(), line.split()[-1].strip("\"'")
            with open(os.path.expanduser(path), "a" if append else "w") as file:
                file.write(cell)

    def run_line_magic(self, name, line, *rest, **options):
        """Run the statement behind `%time`; leave other magics out."""
        if name == "time":
            self._run.execute(self._run.where, line)

    def getoutput(self, *_, **__):
        """Return what a shell command printed: nothing, since it was not run."""
        return []

    def __getattr__(self, name):
        return lambda *_, **__: None


class PretendedOtter:
    """An otter-grader whose checks do nothing, as no test is here; who changes it is noted."""

    def __init__(self, run):
        self.run = run

    def find_spec(self, name, path=None, target=None):
        """Claim otter and everything in it."""
        if root(name) == "otter":
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec):
        """Return a module in which everything is there and does nothing."""
        run = self.run

        class Pretended(types.ModuleType):
            def __getattr__(self, name):
                if name.startswith("__"):
                    raise AttributeError(name)
                return Nothing(run)

            def __setattr__(self, name, value):
                # the import system itself sets submodules, and its own names
                if not (name.startswith("__") or isinstance(value, types.ModuleType)):
                    run.suspect("patch")
                super().__setattr__(name, value)

        return Pretended(spec.name)

    def exec_module(self, module):
        """Leave the module as it is."""


class Nothing:
    """Something of otter's that can be called, asked and printed, and does nothing."""

    def __init__(self, run):
        object.__setattr__(self, "_run", run)

    def __call__(self, *_, **__):
        """Do nothing, and go on doing it."""
        return self

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __setattr__(self, name, value):
        self._run.suspect("patch")

    def __repr__(self):
        return ""


if __name__ == "__main__":
    main()
