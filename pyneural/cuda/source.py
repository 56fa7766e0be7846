"""From CUDA C++ to C++: what a host compiler cannot read is rewritten, line by line in place.

`kernel<<<grid, block>>>(arguments)` becomes a call, `extern __shared__ T name[]` a pointer to the block's
dynamic shared memory; the rest of the language is a header (csrc/simulator/include). On the way the kernels,
the shared, constant and device variables are noted, and what the simulator cannot do is refused with its line.
"""

from __future__ import annotations

import re

from .errors import CompileError, Diagnostic
from .lexer import Token, tokenize
from .unit import Kernel, SharedArray, Unit
from .vocabulary import SIZES, UNSUPPORTED_WORDS

_DEFINE = re.compile(r"[ \t]*#[ \t]*define\b")


class Rewriter:
    """One pass over the tokens of one file."""

    def __init__(self, text: str, file: str, plain: set[str] | None = None) -> None:
        self.text = text
        self.file = file
        self.tokens = tokenize(text)
        self.code = [i for i, token in enumerate(self.tokens) if token.kind not in ("space", "comment")]
        self.edits: dict[int, str] = {}
        self.unit = Unit()
        self.errors: list[Diagnostic] = []
        self.plain = set(plain or ())  # kernels that are no templates, with their namespaces; those of headers first

    def run(self) -> Unit:
        self.find_includes()
        self.walk()
        for at in range(len(self.code)):
            if self.word(at) == "<<<":
                self.launch(at)
        if self.errors:
            raise CompileError(self.errors)
        names = [kernel.name for kernel in self.unit.kernels]
        for kernel in self.unit.kernels:
            kernel.overloaded = names.count(kernel.name) > 1
        self.unit.text = "".join(self.edits.get(i, token.text) for i, token in enumerate(self.tokens))
        return self.unit

    # Tokens without spaces and comments, by their number
    def word(self, at: int) -> str:
        return self.tokens[self.code[at]].text if 0 <= at < len(self.code) else ""

    def token(self, at: int) -> Token:
        return self.tokens[self.code[at]]

    def replace(self, at: int, text: str) -> None:
        self.edits[self.code[at]] = text

    def line(self, at: int) -> int:
        return self.text.count("\n", 0, self.token(at).start) + 1

    def refuse(self, at: int, message: str) -> None:
        start = self.token(at).start
        column = start - self.text.rfind("\n", 0, start)
        self.errors.append(Diagnostic(self.file, self.line(at), column, message))

    def close(self, at: int) -> int:
        """The number of the bracket that closes the one at `at`."""
        pairs = {"(": ")", "[": "]", "{": "}"}
        stack = []
        for i in range(at, len(self.code)):
            word = self.word(i)
            if word in pairs:
                stack.append(pairs[word])
            elif stack and word == stack[-1]:
                stack.pop()
                if not stack:
                    return i
        self.refuse(at, f"'{self.word(at)}' is never closed")
        return len(self.code) - 1

    def open_angle(self, at: int) -> int:
        """The number of the '<' that the '>' at `at` closes, or -1."""
        depth = 0
        i = at
        while i >= 0:
            word = self.word(i)
            if word == ")":
                i = self.open_paren(i)
            depth += (word == ">") - (word == "<") + 3 * (word == ">>>")
            if depth == 0:
                return i
            if word in (";", "{", "}"):
                return -1
            i -= 1
        return -1

    def open_paren(self, at: int) -> int:
        depth = 0
        for i in range(at, -1, -1):
            depth += (self.word(i) == ")") - (self.word(i) == "(")
            if depth == 0:
                return i
        return 0

    def in_macro(self, at: int) -> bool:
        """Within a `#define`, the lines that continue it included."""
        begin = self.text.rfind("\n", 0, self.token(at).start) + 1
        while self.text[:begin].endswith("\\\n"):
            begin = self.text.rfind("\n", 0, begin - 1) + 1
        return _DEFINE.match(self.text, begin) is not None

    def find_includes(self) -> None:
        for match in re.finditer(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"\n]+)"|<([^>\n]+)>)', self.text, re.MULTILINE):
            name = match.group(1) or match.group(2)
            if not any(t.kind == "comment" and t.start <= match.start() < t.start + len(t.text) for t in self.tokens):
                start = match.start(1 if match.group(1) else 2)
                self.unit.includes.append((start, start + len(name), name, bool(match.group(1))))

    def walk(self) -> None:
        """Scopes, declarations and words."""
        scopes: list[tuple[str, str]] = []  # kind: namespace, type, function or device; and its name
        opened: list[int] = []  # where each of them was opened
        body: set[str] = set()  # of the outermost function that is open
        start = 0  # where the current declaration begins
        outermost = 0  # where that of the outermost function begins
        at = 0
        while at < len(self.code):
            word = self.word(at)
            if word == "{":
                scopes.append(self.scope(start, at, scopes))
                opened.append(at)
                inside = [name for kind, name in scopes if kind in ("function", "device")]
                if len(inside) == 1:
                    body = self.unit.functions.setdefault(inside[0], set())
                    outermost = start if scopes[-1][0] in ("function", "device") else outermost
                start = at + 1
            elif word == "}":
                if scopes:
                    kind, _ = scopes.pop()
                    opened.pop()
                    if all(outer not in ("function", "device") for outer, _ in scopes):
                        if kind == "function":
                            self.host_dimensions(outermost, at)
                        for array in self.unit.arrays.values():
                            array.end = array.end or (self.line(at) if array.function else None)
                start = at + 1
            elif word == ";":
                start = at + 1
            elif self.token(at).kind == "word" and any(kind in ("function", "device") for kind, _ in scopes):
                body.add(word)
            if word == "__global__" and not self.in_macro(
                at
            ):  # whose uses are kernels of names that are not known here
                self.kernel(at, start, scopes)
            elif word in ("blockDim", "gridDim") and (
                self.word(at - 1) in (".", "->") or (scopes and scopes[-1][0] == "type" and self.word(at - 1) == "dim3")
            ):  # a member, of cudaLaunchConfig_t or a type of the user's
                self.replace(at, f"pnsim_{word}")
            elif word in ("__shared__", "__constant__", "__device__", "__managed__"):
                at = self.variable(at, start, scopes)
            elif word == "__noinline__" and self.word(at - 1) not in ("(", ","):
                self.replace(at, "__attribute__((noinline))")
            elif word in ("asm", "__asm__", "__asm"):
                at = self.inline_assembly(at)
            elif word in UNSUPPORTED_WORDS:
                self.refuse(at, f"{UNSUPPORTED_WORDS[word]} (here: {word}) cannot be simulated")
            elif word == "<<<" and any(kind == "device" for kind, _ in scopes):
                self.refuse(at, "a launch from device code (dynamic parallelism) cannot be simulated")
            elif word == "main" and self.word(at + 1) == "(" and self.word(at - 1) == "int" and not scopes:
                self.unit.has_main = True
                self.replace(at, "pnsim_main")
                opening = self.close(at + 1) + 1
                if self.word(opening) == "{":  # only a function named main returns 0 by itself
                    self.replace(self.close(opening), "return 0; }")
            elif word.startswith(("atomic", "__threadfence", "__nv_atomic")) or word in (
                "volatile",
                "cooperative_groups",
                "this_grid",
            ):
                self.unit.ordered = self.unit.ordered or word != "cooperative_groups"
            at += 1
        if opened:
            self.unit.unclosed = self.file, self.line(opened[0])

    def host_dimensions(self, first: int, last: int) -> None:
        """Host code may have variables named as the built-in ones, which are macros here: `dim3 blockDim(16, 16);`."""
        declared = set()
        statement = first
        for i in range(first, last):
            word = self.word(i)
            if word in (";", "{", "}"):
                statement = i + 1
            elif word in ("blockDim", "gridDim"):
                before = self.word(i - 1)
                words = (self.word(k) for k in range(statement, min(i, statement + 3)))
                if (
                    before == "dim3"
                    or (before == "&" and self.word(i - 2) == "dim3")
                    or (before == "," and "dim3" in words)
                ):
                    declared.add(word)
        for i in range(first, last):
            if self.word(i) in declared:
                self.replace(i, f"pnsim_{self.word(i)}")

    def inline_assembly(self, at: int) -> int:
        """An error where it is compiled, and none in a branch of the preprocessor that is not."""
        opening = at + 1
        while self.word(opening) not in ("(", ";", ""):
            opening += 1
        end = self.close(opening) if self.word(opening) == "(" else at
        lines = 0
        for k in range(self.code[at], self.code[end] + 1):
            lines += self.tokens[k].text.count("\n")
            self.edits[k] = ""
        message = "inline PTX cannot be simulated; call a function of pyneural/ptx instead, which has two bodies"
        self.replace(at, f'static_assert(false, "{message}")' + "\n" * lines)
        return end

    def scope(self, start: int, brace: int, scopes: list[tuple[str, str]]) -> tuple[str, str]:
        words = [self.word(i) for i in range(start, brace)]
        if "namespace" in words:
            name = "::".join(w for w in words[words.index("namespace") + 1 :] if re.fullmatch(r"\w+", w))
            return ("namespace", name)
        if words[:1] == ["extern"] and len(words) == 2:
            return ("namespace", "")
        parameters = next((i for i in range(start, brace) if self.word(i) == "(" and self.named(i)), start)
        name = self.word(parameters - 1) if parameters > start else ""
        if "__global__" in words or ("__device__" in words and "__host__" not in words):
            return ("device", name)
        if any(kind in ("device", "function") for kind, _ in scopes):
            return ("function", "")
        if any(w in ("struct", "class", "union", "enum") for w in words) and "(" not in words:
            return ("type", next((w for w in words[1:] if re.fullmatch(r"\w+", w)), ""))
        return ("function", name)

    def named(self, at: int) -> bool:
        """The parenthesis at `at` follows the name of a function, and not an attribute's."""
        word = self.word(at - 1)
        return re.fullmatch(r"[A-Za-z_]\w*", word) is not None and word not in (
            "__launch_bounds__", "__align__", "alignas", "__attribute__", "__cluster_dims__", "decltype", "noexcept",
        )  # fmt: skip

    def kernel(self, at: int, start: int, scopes: list[tuple[str, str]]) -> None:
        bounds = ""
        i = at + 1
        while i < len(self.code):
            word = self.word(i)
            if word in ("__launch_bounds__", "__attribute__", "__cluster_dims__"):
                end = self.close(i + 1)
                if word == "__launch_bounds__":
                    first = next((k for k in range(i + 2, end) if self.word(k) == ","), end)
                    bounds = "".join(self.tokens[t].text for t in range(self.code[i + 1] + 1, self.code[first]))
                i = end
            elif (
                self.word(i + 1) in ("(", "<")
                and re.fullmatch(r"\w+", word)
                and word not in ("void", "static", "inline")
            ):
                break
            elif word in (";", "{"):
                return
            i += 1
        cluster = ""
        for k in range(start, i):
            if self.word(k) == "__cluster_dims__":
                cluster = " ".join(self.word(t) for t in range(k + 2, self.close(k + 1)))
        name = self.word(i)
        opening = i + 1
        while self.word(opening) not in ("(", ""):
            opening += 1
        closing = self.close(opening)
        template = any(self.word(k) == "template" for k in range(start, at))
        prefix = [label for kind, label in scopes if kind in ("namespace", "type") and label]
        qualified = "::".join([*prefix, name])
        if not template:
            self.plain.add(qualified)
        if any(
            k.name == qualified and (k.template or len(k.parameters) == self.count(opening, closing))
            for k in self.unit.kernels
        ):
            return  # declared before, or another specialisation
        parameters = [self.parameter(part) for part in self.split(opening + 1, closing)]
        self.unit.kernels.append(Kernel(qualified, template, parameters, bounds, self.line(i), cluster=cluster))

    def split(self, first: int, last: int) -> list[list[str]]:
        """The words between two brackets, cut at the commas of the outermost level."""
        parts: list[list[str]] = [[]]
        depth = 0
        for i in range(first, last):
            word = self.word(i)
            depth += (word in "([{<") - (word in ")]}>") if len(word) == 1 else 0
            if word == "," and depth == 0:
                parts.append([])
            else:
                parts[-1].append(word)
        return [part for part in parts if part and part != ["void"]]

    def count(self, opening: int, closing: int) -> int:
        return len(self.split(opening + 1, closing))

    @staticmethod
    def parameter(words: list[str]) -> str:
        words = words[: words.index("[")] if "[" in words else words
        return words[-1] if len(words) > 1 and re.fullmatch(r"[A-Za-z_]\w*", words[-1]) else ""

    def variable(self, at: int, start: int, scopes: list[tuple[str, str]]) -> int:
        """A variable's declaration, or the qualifier of a function. Returns where to read on."""
        qualifier = self.word(at)
        end = self.first_name(at)
        if self.word(end) in ("(", ")", "operator") or (self.word(end) == "{" and qualifier != "__shared__"):
            return at
        name_at = end - 1
        name = self.word(name_at)
        if name_at == at or not re.fullmatch(r"[A-Za-z_]\w*", name):
            return at
        words = self.outside_angles(start, name_at)
        base = 8 if words.count("long") else next((SIZES[w] for w in reversed(words) if w in SIZES), 0)
        size = 8 if "*" in words else base
        external = any(self.word(k) == "extern" for k in range(start, at + 3))
        if qualifier == "__shared__" and external and self.word(end) == "[" and self.word(end + 1) == "]":
            self.dynamic(start, name_at, size, scopes)
            return end + 1
        function = next((name for kind, name in scopes if kind in ("function", "device")), "")
        first = name_at
        while True:  # float a[4], *b, c;
            dims = 0
            while self.word(end) == "[":
                dims += 1
                end = self.close(end) + 1
            if qualifier == "__shared__":
                self.unit.shared[name] = size
                self.unit.arrays[name, self.file, self.line(name_at)] = SharedArray(function, size, dims)
            else:
                (self.unit.constants if qualifier == "__constant__" else self.unit.devices)[name] = size
            name_at = self.next_name(end)
            if name_at < 0:
                break
            size = 8 if "*" in (self.word(name_at - 1), self.word(name_at - 2)) else base
            name = self.word(name_at)
            end = name_at + 1
        if qualifier == "__shared__":
            for k in range(start, at):
                if self.word(k) == "static":
                    self.replace(k, "")
            self.move_alignas(start, at, first)
        return at

    def next_name(self, at: int) -> int:
        """Of a declaration, the name behind the next comma; -1: there is none."""
        while self.word(at) not in (";", ""):
            name_at = at + 1
            while self.word(name_at) in ("*", "&", "const"):
                name_at += 1
            if self.word(at) == "," and self.word(name_at + 1) in (",", ";", "[", "=", "{"):
                return name_at
            at = self.close(at) + 1 if self.word(at) in ("(", "[", "{") else at + 1  # what the name before begins with
        return -1

    def outside_angles(self, first: int, last: int) -> list[str]:
        """The words that are no template arguments."""
        words = []
        depth = 0
        for i in range(first, last):
            word = self.word(i)
            depth += (word == "<") - (word == ">") - 3 * (word == ">>>")
            words += [word] if depth <= 0 else []
        return words

    def first_name(self, at: int) -> int:
        """Where the first name of a declaration ends; the commas of its type's template arguments are passed over."""
        depth = 0
        end = at + 1
        while end < len(self.code):
            word = self.word(end)
            if word in (";", "{", "operator") or (depth <= 0 and word in ("(", ")", "[", "=", ",")):
                break
            depth += (word == "<") - (word == ">") - 3 * (word == ">>>")
            if word in ("__align__", "alignas", "__attribute__"):
                end += 1
            end = self.close(end) + 1 if self.word(end) in ("(", "[") else end + 1
        return end

    def move_alignas(self, start: int, at: int, name_at: int) -> None:
        """`__shared__ alignas(128) float s[32];`: C++ wants the attribute before all specifiers."""
        for k in range(at, name_at):
            if self.word(k) == "alignas":
                end = self.close(k + 1)
                text = "".join(self.word(i) for i in range(k, end + 1))
                for i in range(k, end + 1):
                    self.replace(i, "")
                self.replace(start, f"{text} {self.edits.get(self.code[start], self.word(start))}")

    def dynamic(self, start: int, name_at: int, size: int, scopes: list[tuple[str, str]]) -> None:
        """extern __shared__ T name[];  ->  T* name = (T*)dynamic_shared();"""
        name = self.word(name_at)
        kept = []
        k = start
        while k < name_at:
            word = self.word(k)
            if word in ("extern", "__shared__", "static", "volatile"):
                kept += ["volatile"] if word == "volatile" else []
            elif word in ("__align__", "alignas", "__attribute__"):
                k = self.close(k + 1)
            else:
                kept.append(word)
            k += 1
        kind = " ".join(kept)
        inside = any(scope in ("function", "device") for scope, _ in scopes)
        pointer = f"{kind}* const {name} = reinterpret_cast<{kind}*>(::pnsim::dynamic_shared())"
        for k in range(start, name_at + 3):
            self.replace(k, "")
        self.replace(start, pointer if inside else f"static thread_local {pointer}")
        self.unit.dynamic.append((name, size, self.line(name_at)))

    def launch(self, at: int) -> None:
        """name<<<grid, block>>>(arguments)  ->  pnsim::launch(launch_config(grid, block), "name", name)(arguments)"""
        first = at - 1
        explicit = self.word(first) in (">", ">>>")
        if explicit:
            first = self.open_angle(first) - 1
        name = self.word(first)
        while self.word(first - 1) == "::":
            first -= 2 if re.fullmatch(r"\w+", self.word(first - 2)) else 1
        if not re.fullmatch(r"[A-Za-z_]\w*", name):
            return self.refuse(at, "'<<<' must follow the name of a kernel")
        closing = at + 1
        while self.word(closing) != ">>>":
            if self.word(closing) in ("(", "[", "{"):
                closing = self.close(closing)
            elif self.word(closing) in (";", ""):
                return self.refuse(at, "'<<<' without '>>>'")
            closing += 1
        if self.word(closing + 1) != "(":
            return self.refuse(closing, "'>>>' must be followed by the kernel's arguments in parentheses")
        callee = "".join(token.text for token in self.tokens[self.code[first] : self.code[at]]).strip()
        callee = re.sub(r"\s+", " ", re.sub(r"//[^\n]*|/\*.*?\*/", "", callee, flags=re.DOTALL))
        label = callee.replace("\\", "\\\\").replace('"', '\\"')
        if not explicit and any(k == callee or k.endswith(f"::{callee}") for k in self.plain):
            function = "::pnsim::launch(::pnsim::launch_config("
            target = f"::{callee}" if callee in self.plain and "::" not in callee else callee
            before = f"{target})("
        else:  # a template, a variable, or the parameter of a macro
            function = "::pnsim::launch_deduced(::pnsim::launch_config("
            # __VA_ARGS__ may be nothing
            comma = {")": "", "__VA_ARGS__": ", ##"}.get(self.word(closing + 2), ", ")
            before = f"[=](auto&... pnsim_a) {{ {callee}(pnsim_a...); }}{comma}"
        for k in range(self.code[first], self.code[at]):
            self.edits[k] = "\n" * self.tokens[k].text.count("\n")
        self.replace(at, function)
        self.replace(closing, f'), "{label}", {before}')
        self.replace(closing + 1, "")
        self.unit.launches += 1
        return None


def rewrite(text: str, file: str, plain: set[str] | None = None) -> Unit:
    """Rewrites one file.

    `file` is the name that errors and findings show, `plain` the kernels of its headers that are no
    templates.
    """
    return Rewriter(text.replace("\r\n", "\n"), file, plain).run()
