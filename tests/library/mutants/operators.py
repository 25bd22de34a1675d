"""What is changed beside cosmic-ray's own operators: statements, arguments, results, strings.

Cosmic-ray replaces operators, comparisons, numbers and booleans. A library that
checks its input and passes arguments on can be wrong in other ways as well.
"""

from __future__ import annotations

from typing import ClassVar

import parso
from cosmic_ray.operators.operator import Example, Operator


class ForgetStatement(Operator):
    """Leave out a call made for its effect, such as a check, or a raise."""

    def mutation_positions(self, node):
        if node.type == "simple_stmt" and node.children[0].type in ("atom_expr", "raise_stmt"):
            yield node.children[0].start_pos, node.children[0].end_pos

    def mutate(self, node, index):
        first = node.children[0]
        node.children[0] = parso.parse(first.get_first_leaf().prefix + "pass")
        return node

    @classmethod
    def examples(cls):
        return Example("check(x)\n", "pass\n"), Example("raise E(1)\n", "pass\n")


class ForgetKeyword(Operator):
    """Leave out an argument given by name, so that its default holds."""

    def _places(self, node):
        if node.type not in ("arglist", "trailer"):
            return []
        return [
            at
            for at, child in enumerate(node.children)
            if child.type == "argument" and child.children[1].type == "operator"
            if child.children[1].value == "=" and child.children[0].type == "name"
        ]

    def mutation_positions(self, node):
        # a list: cosmic-ray changes the node while it goes through the places
        return [
            (node.children[at].start_pos, node.children[at].end_pos) for at in self._places(node)
        ]

    def mutate(self, node, index):
        at = self._places(node)[index]
        end = at + 1 if node.type == "trailer" or at + 1 == len(node.children) else at + 2
        del node.children[at:end]
        return node

    @classmethod
    def examples(cls):
        return (
            Example("f(a, b=1)", "f(a,)"),
            Example("f(b=1)", "f()"),
            Example("f(a, b=1, c=2)", "f(a, c=2)"),
        )


class ReturnNothing(Operator):
    """Return None in place of a value."""

    def mutation_positions(self, node):
        if node.type == "return_stmt" and node.children[1].get_code().strip() != "None":
            yield node.start_pos, node.end_pos

    def mutate(self, node, index):
        node.children[1] = parso.parse(" None")
        return node

    @classmethod
    def examples(cls):
        return (Example("def f():\n    return x\n", "def f():\n    return None\n"),)


class ChangeString(Operator):
    """Put a letter in front of a string, docstrings excepted."""

    def mutation_positions(self, node):
        if (node.type == "string" and not _is_docstring(node)) or node.type == "fstring":
            yield node.start_pos, node.end_pos

    def mutate(self, node, index):
        if node.type == "string":
            opening = len(node.string_prefix) + (3 if node.value[-3:] in ('"""', "'''") else 1)
            node.value = f"{node.value[:opening]}X{node.value[opening:]}"
        else:
            start = node.children[0]
            start.value += "X"
        return node

    @classmethod
    def examples(cls):
        return Example("x = 'a'", "x = 'Xa'"), Example("x = f'{a}'", "x = f'X{a}'")


def _is_docstring(node):
    return node.parent.type == "simple_stmt"


class Operators:
    """The provider that cosmic-ray asks for them."""

    known: ClassVar = {
        op.__name__: op for op in (ForgetStatement, ForgetKeyword, ReturnNothing, ChangeString)
    }

    def __iter__(self):
        return iter(self.known)

    def __getitem__(self, name):
        return self.known[name]
