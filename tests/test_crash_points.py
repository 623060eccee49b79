"""Every step that the vault names is one at which the plug is pulled; a step that nobody tries cannot be added."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests import test_backup_crash as backups
from tests import test_growing_crash as growing
from tests import test_legs_crash as legs
from tests import test_rewrapping as rewrapping
from tests import test_vault_crash as sealing
from tests.pbx.prepare import ROOT

VAULT = ROOT / "gdprcall" / "vault"


def named_steps(source: str) -> Iterator[str]:
    """Yield the name, or a pattern of it, of each ``step(...)`` of a module."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name | ast.Attribute):
            continue
        name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
        if name != "step" or len(node.args) != 1:
            continue
        match node.args[0]:
            case ast.Constant(value=str(value)):
                yield re.escape(value)
            case ast.JoinedStr(values=values):
                yield "".join(re.escape(part.value) if isinstance(part, ast.Constant) else ".+" for part in values)
            case _:
                raise AssertionError("a step without a name of its own")


def test_every_step_of_the_vault_is_one_at_which_something_is_cut_off(tmp_path: Path) -> None:
    named = {name for path in VAULT.glob("*.py") for name in named_steps(path.read_text())}
    assert {"header stored", "all in place", "key put back"} <= {name.replace("\\", "") for name in named}
    passed: set[str] = set()
    for number, (prepare, work, _) in enumerate([*sealing.CASES.values(), *legs.CASES.values()]):
        passed |= set(sealing.names_of_steps(tmp_path / f"case{number}", prepare, work))
    for number, case in enumerate(growing.CASES):
        passed |= set(growing.names_of_steps(tmp_path / f"grows{number}", case))
    for number, whole in enumerate(backups.WORKS):
        backups.model(tmp_path / f"work{number}", whole)
        passed |= set(backups.names_of_steps(tmp_path / f"work{number}" / "model", whole))
    passed |= set(rewrapping.names_of_steps(tmp_path / "rewrap"))
    assert [name for name in sorted(named) if not any(re.fullmatch(name, one) for one in passed)] == []


def test_a_step_is_found_however_it_is_written() -> None:
    source = "stores.step('one')\nstep(f'{name} two')\nbatch.stores.step('three')\nsteps('no')\nself.step()\n"
    assert sorted(named_steps(source)) == [".+\\ two", "one", "three"]
