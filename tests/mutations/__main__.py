"""``python -m tests.mutations``: exit status 0 if every mutation is caught, 1 if not, 2 if it cannot be told."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from . import MUTATIONS
from .report import DOCUMENT, document, summary, table
from .run import CAUGHT, recorded, run


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutations", description="Show which mistakes are caught.")
    parser.add_argument("--only", action="append", metavar="NAME", help="mutations whose name or file has NAME in it")
    parser.add_argument("--jobs", type=int, default=1, help="how many run at a time (default 1)")
    parser.add_argument("--seed", type=int, default=0, help="of the tests' random inputs (default 0)")
    parser.add_argument("--commit", help="mutate the files of this commit, not those of the working tree")
    parser.add_argument("--record", type=Path, metavar="FILE", help="keep there what was caught; go on from it")
    parser.add_argument("--recorded", action="store_true", help="run nothing: tell what the record has")
    parser.add_argument("--unchecked", action="store_true", help="do not run the tests without a mistake first")
    parser.add_argument("--list", action="store_true", help="print the names and end")
    parser.add_argument("--write", action="store_true", help=f"write {DOCUMENT.name} anew; of all mutations only")
    arguments = parser.parse_args()
    if arguments.write and arguments.only:
        parser.error("--write is of all mutations, not with --only")
    names = arguments.only or [""]
    mutations = [each for each in MUTATIONS if any(name in each.name or name in each.file for name in names)]
    if not mutations:
        parser.error(f"no mutation is called {' or '.join(names)}")
    if arguments.list:
        print("\n".join(each.name for each in mutations))
        return 0
    if arguments.recorded:
        if arguments.record is None:
            parser.error("--recorded needs --record")
        verdicts = recorded(mutations, arguments.record)
    else:
        try:
            verdicts = run(
                mutations,
                jobs=arguments.jobs,
                seed=arguments.seed,
                commit=arguments.commit,
                progress=lambda line: print(line, file=sys.stderr, flush=True),
                check_first=not arguments.unchecked,
                record=arguments.record,
            )
        except RuntimeError as error:
            print(error, file=sys.stderr)
            return 2
    print(table(verdicts))
    print(summary(verdicts))
    if arguments.write:
        DOCUMENT.write_text(document(verdicts), encoding="utf-8")
    return 0 if all(verdict.kind == CAUGHT for verdict in verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
