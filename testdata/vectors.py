"""What every generator of test vectors does with the cases that it has made."""

import pathlib
import sys


def write_or_check(folder: pathlib.Path, cases: dict[str, bytes], generator: str) -> int:
    """Writes each case as `folder/NAME.txt`; with `--check` only compares, also for files that no case makes. Gives the exit code."""
    files = {f"{name}.txt": data for name, data in cases.items()}
    if sys.argv[1:] == ["--check"]:
        there = {path.name: path.read_bytes() for path in folder.glob("*.txt")}
        wrong = sorted(name for name in files.keys() | there.keys() if files.get(name) != there.get(name))
        for name in wrong:
            print(f"testdata/{folder.name}/{name} is not what {generator} generates", file=sys.stderr)
        print(f"{len(files)} vectors, {len(wrong)} differ")
        return 1 if wrong else 0
    if sys.argv[1:]:
        print(f"usage: {pathlib.Path(sys.argv[0]).name} [--check]", file=sys.stderr)
        return 64
    folder.mkdir(exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    print(f"{len(files)} vectors written")
    return 0
