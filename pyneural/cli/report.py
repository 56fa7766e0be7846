"""``pyneural doctor`` and ``pyneural devices``."""

from __future__ import annotations

import json as json_module
from collections.abc import Iterable
from dataclasses import asdict

import typer
from rich.markup import escape
from rich.table import Table

from pyneural import doctor as doctor_module
from pyneural.doctor import Check

from .console import Failure, console


def show_doctor(json: bool) -> None:
    """Print the examination; `Failure` if something required does not work."""
    if json:
        found = doctor_module.examine()
        typer.echo(json_module.dumps(found.as_dict(), indent=2))
    else:
        with console.status("trying devices (the first time compiles a kernel)"):
            found = doctor_module.examine()
        console.print(_table("devices", found.devices))
        console.print(_table("tools", found.tools))
        facts = Table("machine", "", title_justify="left", show_header=False)
        for key, value in found.machine.items():
            facts.add_row(key.replace("_", " "), " ".join(value) if isinstance(value, list) else str(value))
        facts.add_row("versions", ", ".join(f"{name} {version}" for name, version in found.versions.items()))
        console.print(facts)
    if not found.ok:
        broken = [each.name for each in (*found.devices, *found.tools) if each.required and not each.ok]
        raise Failure(f"what pyneural needs does not work: {', '.join(broken)}")


def show_devices(json: bool) -> None:
    """Print the devices."""
    found = doctor_module.devices()
    if json:
        typer.echo(json_module.dumps([asdict(each) for each in found], indent=2))
    else:
        console.print(_table("devices", found))


def _table(title: str, checks: Iterable[Check]) -> Table:
    table = Table(title, "")
    table.add_column("found", overflow="fold")
    table.add_column("mend it with")
    for each in checks:
        mark = "[green]works[/]" if each.ok else ("[bold red]broken[/]" if each.required else "[yellow]not here[/]")
        table.add_row(each.name, mark, escape(each.detail), escape(each.mend or ""))
    return table
