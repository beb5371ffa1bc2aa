"""Declares, parses and explains the flags of a single call of a command."""

import itertools
import os
import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from absl import flags

_COLUMN = 26
# What Python says of a wrong value, and what is expected.
_PYTHON = {
    r"invalid literal for int\(\).*": "an integer, in digits",
    r"could not convert string to float.*": "a number",
    r"\('Non-boolean argument to boolean flag', .*": "true or false; the name alone means true",
}


class _PathParser(flags.ArgumentParser):
    """Takes a path and expands `~` in it."""

    syntactic_help = "a path"

    def parse(self, argument: str) -> str:
        if not argument:
            raise ValueError("expected a path, received nothing")
        return os.path.expanduser(argument)


class _IntegerOrWord(flags.IntegerParser):
    """Takes an integer or a word."""

    def __init__(self, word: str, at_least: int) -> None:
        super().__init__(lower_bound=at_least)
        self._word = word

    def parse(self, argument: str | int) -> str | int:
        return argument if argument == self._word else super().parse(argument)


class MissingFlag(flags.Error):
    """A command line lacks a flag that the command needs."""


class _Help(NamedTuple):
    usage: str
    text: str


class Group:
    """The flags of a concept, under a title in the help.

    Args:
        parser: The parser that they belong to.
    """

    def __init__(self, parser: "Parser") -> None:
        self._values = parser.values
        self.rows: list[_Help] = []

    def string(self, name: str, default: str | None, text: str, *, value: str = "TEXT") -> None:
        """Declares a flag that takes any text."""
        flags.DEFINE_string(name, default, text, flag_values=self._values)
        self._explain(f"--{name}={value}", text, default)

    def path(self, name: str, default: str | None, text: str, *, value: str = "PATH") -> None:
        """Declares a flag that takes a path, in which `~` is expanded."""
        flags.DEFINE(
            _PathParser(),
            name,
            default,
            text,
            flag_values=self._values,
            serializer=flags.ArgumentSerializer(),
        )
        self._explain(f"--{name}={value}", text, default)

    def integer(
        self,
        name: str,
        default: int | None,
        text: str,
        *,
        at_least: int | None = None,
        at_most: int | None = None,
    ) -> None:
        """Declares a flag that takes an integer."""
        flags.DEFINE_integer(
            name,
            default,
            text,
            lower_bound=at_least,
            upper_bound=at_most,
            flag_values=self._values,
        )
        self._explain(f"--{name}=N", text, default)

    def integer_or(
        self, name: str, default: int | str, text: str, *, word: str, at_least: int
    ) -> None:
        """Declares a flag that takes an integer, or a word in its place."""
        flags.DEFINE(
            _IntegerOrWord(word, at_least),
            name,
            default,
            text,
            flag_values=self._values,
            serializer=flags.ArgumentSerializer(),
        )
        self._explain(f"--{name}=N", text, default)

    def number(
        self,
        name: str,
        default: float | None,
        text: str,
        *,
        at_least: float | None = None,
        at_most: float | None = None,
    ) -> None:
        """Declares a flag that takes a real number."""
        flags.DEFINE_float(
            name,
            default,
            text,
            lower_bound=at_least,
            upper_bound=at_most,
            flag_values=self._values,
        )
        self._explain(f"--{name}=X", text, default)

    def boolean(self, name: str, default: bool | None, text: str) -> None:
        """Declares a flag that is switched on by `--name` and off by `--noname`."""
        flags.DEFINE_bool(name, default, text, flag_values=self._values)
        self._explain(f"--[no]{name}", text, "on" if default else None)

    def choice(self, name: str, default: str | None, choices: Sequence[str], text: str) -> None:
        """Declares a flag that takes one of several names."""
        flags.DEFINE_enum(name, default, list(choices), text, flag_values=self._values)
        self._explain(f"--{name}=NAME", text, default, choices)

    def words(self, name: str, text: str, *, value: str = "A,B,...") -> None:
        """Declares a flag that takes words with commas between them."""
        flags.DEFINE_list(name, None, text, flag_values=self._values)
        self._explain(f"--{name}={value}", text, None)

    def lines(self) -> list[str]:
        """Returns the help of the flags."""
        wrap = textwrap.TextWrapper(100, subsequent_indent=" " * (_COLUMN + 2))
        rows = []
        for usage, text in self.rows:
            head = f"  {usage:{_COLUMN - 2}}"
            if len(head) > _COLUMN:
                rows.append(head)
                head = " " * _COLUMN
            wrap.initial_indent = f"{head}  "
            rows += wrap.wrap(text)
        return rows

    def _explain(self, usage: str, text: str, default: Any, choices: Sequence[str] = ()) -> None:
        """Adds a row to the help; the text states a default that is chosen elsewhere."""
        meaning, _, chosen = text.partition("; default: ")
        listed = f": {', '.join(choices)}" if choices else ""
        usual = chosen or default
        said = f" (default: {usual})" if usual not in (None, "") else ""
        self.rows.append(_Help(usage, f"{meaning}{listed}{said}"))


class Parser:
    """The flags of a single call, apart from those of any other call.

    Attributes:
        values: `absl.flags.FlagValues`; after `parse`, its attributes are the flags' values.
        groups: The groups of flags by title, in the order of the help.
        words: The command line that was parsed.
    """

    def __init__(self) -> None:
        self.values = flags.FlagValues()
        self.groups: dict[str, Group] = {}
        self.words: list[str] = []
        self._notes: dict[str, Sequence[str]] = {}
        self._required: list[str] = []
        self._alternatives: list[tuple[str, ...]] = []
        self._checks: list[tuple[Sequence[str], Callable[[Mapping[str, Any]], bool], str]] = []

    def group(self, title: str) -> Group:
        """Returns the group with a title; the first call makes it."""
        return self.groups.setdefault(title, Group(self))

    def note(self, title: str, lines: Sequence[str]) -> None:
        """Adds lines to the end of the help."""
        self._notes[title] = lines

    def require(self, *names: str) -> None:
        """Refuses a command line without these flags."""
        self._required += names

    def require_exactly_one(self, *names: str) -> None:
        """Refuses a command line with none, or with several, of these flags."""
        self._alternatives += [names]

    def check(
        self, names: Sequence[str], test: Callable[[Mapping[str, Any]], bool], message: str
    ) -> None:
        """Refuses a command line for whose flags `test`, a function of their values, is false."""
        self._checks.append((names, test, message))

    def check_companions(self, flag: str, companions: Sequence[str], message: str) -> None:
        """Refuses a command line that sets any of `companions`, unless `flag` has a value.

        Their defaults are allowed: `flag_file` writes them.
        """
        self.check(
            [flag, *companions],
            lambda values: bool(values[flag]) or not any(map(self.is_changed, companions)),
            message,
        )

    def parse(self, arguments: Sequence[str], *, known_only: bool = False) -> list[str]:
        """Parses a command line; what it sets beats what its flag files set, whatever the order.

        Args:
            arguments: The words after the name of the command.
            known_only: Whether flags that are not declared here are left over instead of refused.

        Returns:
            The words that are left over.

        Raises:
            absl.flags.Error: If a flag is unknown, lacks a value or has a wrong value.
        """
        self.words = list(arguments)
        try:
            left = self.values(["tfgans", *_flag_files_first(arguments)], known_only=known_only)[1:]
        except flags.IllegalFlagValueError as error:
            raise flags.IllegalFlagValueError(_without_python(str(error))) from error
        # Not by absl, whose messages begin with the flags' values: "flag --out=None: ...".
        missing = [name for name in self._required if not self._has(name)]
        if missing:
            verb = "is" if len(missing) == 1 else "are"
            raise MissingFlag(f"{_listed(missing)} {verb} required")
        for alternatives in self._alternatives:
            count = sum(map(self._has, alternatives))
            if count != 1:
                kind = flags.ValidationError if count else MissingFlag
                raise kind(
                    f"expected exactly one of {_listed(alternatives)}{self._received(alternatives)}"
                )
        for names, test, message in self._checks:
            if not test({name: self.values[name].value for name in names}):
                raise flags.ValidationError(f"{message}{self._received(names)}")
        return left

    def _received(self, names: Sequence[str]) -> str:
        """Returns how an error ends: with those of the flags that are set, if there are any."""
        words = [self.values[name].serialize() for name in names if self.is_set(name)]
        return f". Received: {' '.join(words)}" if words else ""

    def _has(self, name: str) -> bool:
        return self.values[name].value is not None

    def is_set(self, name: str) -> bool:
        """Returns whether the command line or a flag file sets the flag."""
        return self.values[name].present > 0

    def is_changed(self, name: str) -> bool:
        """Returns whether a flag is set to another value than its default.

        `flag_file` writes defaults, too, and they must pass where a flag does not apply.
        """
        return self.is_set(name) and self.values[name].value != self.values[name].default

    def flag_file(self, *exclude: str) -> str:
        """Returns the values of the flags as the text of a file for `--flagfile`."""
        lines = (
            self.values[name].serialize() for name in sorted(self.values) if name not in exclude
        )
        return "".join(f"{line}\n" for line in lines if line)

    def arguments(self) -> dict[str, str]:
        """Returns the flag of the same name for each argument of the library that has one."""
        return {name: name for name in self.values}

    def differences(self, text: str, *names: str) -> dict[str, tuple[str, str]]:
        """Returns the flags whose values differ from those in the text of a `flag_file`.

        Flags that neither side sets are left out: versions differ in their flags and defaults.

        Args:
            text: The text.
            *names: The flags to compare.

        Returns:
            For each name of a flag, what stands there and here, as "--name=value" or "no --name".
            Those that this command line sets come first.
        """
        before = {self._name(line): line for line in text.splitlines()}
        result = {}
        for name in sorted(names, key=lambda name: not self.is_set(name)):
            here = self.values[name].serialize() or f"no --{name}"
            there = before.get(name, f"no --{name}")
            if here != there and (name in before or self.is_set(name)):
                result[name] = (there, here)
        return result

    def _name(self, line: str) -> str:
        """Returns the name of the flag in a line of a flag file."""
        name = line.strip().lstrip("-").partition("=")[0]
        return name if name in self.values else name.removeprefix("no")

    def help(self) -> str:
        """Returns the flags and what they mean, by group."""
        parts = {title: group.lines() for title, group in self.groups.items()} | self._notes
        return "\n\n".join("\n".join([title, *lines]) for title, lines in parts.items())


def _without_python(text: str) -> str:
    """Returns an error of absl on a value, with plain words for those of Python."""
    for pattern, expected in _PYTHON.items():
        text = re.sub(pattern, f"expected {expected}", text)
    return text


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"--{name}" for name in names)


def _flag_files_first(arguments: Sequence[str]) -> list[str]:
    """Moves `--flagfile=FILE` and `--flagfile FILE` to the front: of two values the last counts."""
    first: list[str] = []
    rest: list[str] = []
    words = iter(arguments)
    for word in words:
        name, equals, _ = word.partition("=")
        if word == "--":
            rest += [word, *words]
        elif name not in ("--flagfile", "-flagfile"):
            rest.append(word)
        else:
            first += [word] if equals else [word, *itertools.islice(words, 1)]
    return [*first, *rest]
