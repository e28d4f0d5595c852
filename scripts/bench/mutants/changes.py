"""Small changes of a module's source, one at a time: operators, comparisons, constants, conditions.

A change is a piece of source text and what stands in its place. Left alone are docstrings, other strings,
annotations, decorators, what is raised (its words, not the condition before it), and what can only raise:
``assert``, ``strict`` of ``zip``. So is the -1 of ``reshape``, for which numpy takes any negative number.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

BINARY = {"+": "-", "-": "+", "*": "/", "/": "*", "//": "/", "%": "//", "**": "*", "@": "*", "<<": ">>",
          ">>": "<<", "&": "|", "|": "&", "^": "&"}  # fmt: skip
COMPARE = {"<": ("<=", ">"), "<=": ("<", ">="), ">": (">=", "<"), ">=": (">", "<="), "==": ("!=",),
           "!=": ("==",), "is": ("is not",), "is not": ("is",), "in": ("not in",),
           "not in": ("in",)}  # fmt: skip


@dataclass(frozen=True)
class Change:
    """``old`` at ``start`` in the source, to be replaced by ``new``; it stands in lines first to last."""

    start: int  # characters from the beginning of the file
    old: str
    new: str
    first: int  # lines of the statement, for looking up which tests reach it
    last: int
    line: int  # where the change itself stands

    def applied(self, source: str) -> str:
        """The changed source."""
        assert source[self.start : self.start + len(self.old)] == self.old
        return source[: self.start] + self.new + source[self.start + len(self.old) :]


def changes(source: str) -> list[list[Change]]:
    """The places of a module that can be changed, each with its alternatives, in order of the text."""
    found = _Places(source)
    found.visit(ast.parse(source))
    return [found.at[key] for key in sorted(found.at)]


class _Places(ast.NodeVisitor):
    """Walks over the code of a module and writes down what can be changed."""

    def __init__(self, source: str):
        self.source, self.at = source, {}
        lines = source.splitlines(keepends=True)
        self.offsets = [0]
        for line in lines:
            self.offsets.append(self.offsets[-1] + len(line))
        self.lines = lines
        self.statement = (1, 1)

    def place(self, line: int, column: int) -> int:
        """Characters before a node's line and column (bytes of UTF-8)."""
        return self.offsets[line - 1] + len(self.lines[line - 1].encode()[:column].decode())

    def span(self, node: ast.AST) -> tuple[int, int]:
        """First character of a node and the one after its last."""
        return self.place(node.lineno, node.col_offset), self.place(node.end_lineno, node.end_col_offset)

    def add(self, start: int, old: str, *new: str) -> None:
        line = self.source.count("\n", 0, start) + 1
        self.at[start, len(old)] = [Change(start, old, text, *self.statement, line) for text in new]

    def between(self, left: ast.AST, right: ast.AST, operators: Iterator[str]) -> tuple[int, str]:
        """The operator that stands between two nodes, and where."""
        a, b = self.span(left)[1], self.span(right)[0]
        text = "\n".join(line.split("#")[0].ljust(len(line)) for line in self.source[a:b].split("\n"))
        name = next(op for op in sorted(operators, key=len, reverse=True) if op in text)
        return a + text.index(name), name

    def visit(self, node: ast.AST) -> None:
        """Keep the lines of the innermost statement; leave out what is no behaviour."""
        if isinstance(node, ast.Raise | ast.Import | ast.ImportFrom | ast.Assert):
            return
        before = self.statement
        if isinstance(node, ast.stmt):
            head = getattr(node, "body", None)
            last = head[0].lineno - 1 if isinstance(head, list) else node.end_lineno
            self.statement = (node.lineno, max(node.lineno, last))
        super().visit(node)
        self.statement = before

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        for part in [*node.args.defaults, *filter(None, node.args.kw_defaults), *node.body]:
            self.visit(part)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for part in node.body:
            self.visit(part)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value:
            self.visit(node.value)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        at, name = self.between(node.left, node.right, BINARY)
        self.add(at, name, BINARY[name])
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        at, name = self.between(node.target, node.value, [f"{op}=" for op in BINARY])
        self.add(at, name, BINARY[name[:-1]] + "=")
        self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        for left, right in zip([node.left, *node.comparators], node.comparators, strict=False):
            at, name = self.between(left, right, COMPARE)
            self.add(at, name, *COMPARE[name])
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        for left, right in zip(node.values, node.values[1:], strict=False):
            at, name = self.between(left, right, ["and", "or"])
            self.add(at, name, {"and": "or", "or": "and"}[name])
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        start = self.span(node)[0]
        operator = {ast.Not: "not ", ast.USub: "-", ast.Invert: "~"}.get(type(node.op))
        number = isinstance(node.operand, ast.Constant)  # changes by itself; axis -1 is often axis 1
        if operator and not number and self.source.startswith(operator, start):
            self.add(start, operator, "")
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        start, end = self.span(node)
        old = self.source[start:end]
        if isinstance(node.value, bool):
            self.add(start, old, str(not node.value))
        elif isinstance(node.value, int | float):
            self.add(start, old, repr(node.value + 1))

    def visit_keyword(self, node: ast.keyword) -> None:
        if node.arg != "strict":
            self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        reshape = getattr(node.func, "attr", "") == "reshape"
        self.visit(node.func)
        for part in [*node.args, *node.keywords]:
            if not (reshape and ast.unparse(part) == "-1"):
                self.visit(part)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """The words of a message, and how its numbers are written, are left alone."""

    def _condition(self, node) -> None:
        start, end = self.span(node.test)
        if not isinstance(node.test, ast.UnaryOp | ast.Compare | ast.BoolOp):  # these change by themselves
            self.add(start, self.source[start:end], f"(not ({self.source[start:end]}))")
        self.generic_visit(node)

    visit_If = visit_IfExp = visit_While = _condition
